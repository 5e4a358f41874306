//! Extension nodes: plan operators that DataFusion does not know.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::logical_expr::UserDefinedLogicalNode;

use super::canonical::Encoder;

/// Knows how to put one kind of extension node into canonical form.
pub trait ExtensionEncoder: Debug + Send + Sync {
    /// Writes what the node itself computes and returns true, or returns false when it is not of this kind.
    ///
    /// Its name, expressions, inputs and output types are written by the caller. Everything else that can change its
    /// result, the node's version included, is for this method to write.
    fn encode(&self, node: &dyn UserDefinedLogicalNode, out: &mut Encoder) -> bool;
}

/// An ordered list of [`ExtensionEncoder`]; the first that knows a node wins. Empty by default: a plan with an
/// extension node that nobody knows is never reused.
#[derive(Debug, Clone, Default)]
pub struct ExtensionRegistry {
    encoders: Vec<Arc<dyn ExtensionEncoder>>,
}

impl ExtensionRegistry {
    /// Adds an encoder at the end of the list.
    #[must_use]
    pub fn with(mut self, encoder: Arc<dyn ExtensionEncoder>) -> Self {
        self.encoders.push(encoder);
        self
    }

    /// Lets the first encoder that knows `node` write it; false when none does.
    pub(super) fn encode(&self, node: &dyn UserDefinedLogicalNode, out: &mut Encoder) -> bool {
        self.encoders.iter().any(|encoder| {
            let mut own = Encoder::new();
            let known = encoder.encode(node, &mut own);
            if known {
                out.bytes(&own.finish());
            }
            known
        })
    }
}
