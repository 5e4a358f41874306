//! What can happen, in words.

use std::fmt;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is done and answered.
    Answered,
    /// It is done, and the reply is lost.
    ReplyLost,
    /// It is under way, and arrives some time or never.
    Delayed,
}

impl Delivery {
    /// All that may happen while faults are left.
    pub(super) fn possible(faults: usize) -> &'static [Self] {
        if faults == 0 { &[Self::Answered] } else { &[Self::Answered, Self::ReplyLost, Self::Delayed] }
    }
}

/// One event. Writers, attempts, collectors and twins are numbered from 0 and told from 1.
#[expect(missing_docs, reason = "its words stand in `Display`")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Begin { writer: usize },
    Read { writer: usize },
    Write { writer: usize, twin: usize },
    SendReceipt { writer: usize, twin: usize, delivery: Delivery },
    LookAtReceipt { writer: usize, twin: usize },
    ReceiptArrives { index: usize },
    Adopt { writer: usize, attempt: usize },
    Judge { writer: usize },
    Send { writer: usize, delivery: Delivery },
    Look { writer: usize },
    GiveUp { writer: usize },
    Close { writer: usize },
    Crash { writer: usize },
    CommitArrives { index: usize },
    LookAtJob { writer: usize },
    TakeJob { writer: usize },
    FinishStep { writer: usize },
    Collect { collector: usize, attempt: usize },
    CloseForDead { collector: usize },
    ChooseFiles { collector: usize },
    DeleteFiles { collector: usize },
    LookBeforeDrop { all: bool },
    Drop,
    SourceChanges,
    Damage { file: usize },
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered => "",
            Self::ReplyLost => ", the reply is lost",
            Self::Delayed => ", which is slow, and hears of a failure",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |index: &usize| index + 1;
        match self {
            Self::Begin { writer } => write!(f, "writer {} begins", n(writer)),
            Self::Read { writer } => write!(f, "writer {} reads a part of the source", n(writer)),
            Self::Write { writer, twin: 0 } => write!(f, "writer {} writes its file", n(writer)),
            Self::Write { writer, .. } => write!(f, "the twin of writer {} writes its file", n(writer)),
            Self::SendReceipt { writer, twin: 0, delivery } => {
                write!(f, "writer {} sends its receipt{delivery}", n(writer))
            }
            Self::SendReceipt { writer, delivery, .. } => {
                write!(f, "the twin of writer {} sends its receipt{delivery}", n(writer))
            }
            Self::LookAtReceipt { writer, twin: 0 } => {
                write!(f, "writer {} looks for its receipt", n(writer))
            }
            Self::LookAtReceipt { writer, .. } => {
                write!(f, "the twin of writer {} looks for its receipt", n(writer))
            }
            Self::ReceiptArrives { .. } => f.write_str("a slow receipt arrives"),
            Self::Adopt { writer, attempt } => {
                write!(f, "writer {} adopts the file of attempt {}", n(writer), n(attempt))
            }
            Self::Judge { writer } => write!(f, "writer {} reads the log and judges", n(writer)),
            Self::Send { writer, delivery } => write!(f, "writer {} sends its commit{delivery}", n(writer)),
            Self::Look { writer } => write!(f, "writer {} looks what is in the slot", n(writer)),
            Self::GiveUp { writer } => write!(f, "writer {} gives up", n(writer)),
            Self::Close { writer } => write!(f, "writer {} abandons itself", n(writer)),
            Self::Crash { writer } => write!(f, "writer {} crashes", n(writer)),
            Self::CommitArrives { .. } => f.write_str("a slow commit arrives"),
            Self::LookAtJob { writer } => write!(f, "driver {} reads the job's log", n(writer)),
            Self::TakeJob { writer } => write!(f, "driver {} writes that it has the job", n(writer)),
            Self::FinishStep { writer } => write!(f, "driver {} writes that the step is done", n(writer)),
            Self::Collect { collector, attempt } => {
                write!(f, "collector {} turns to attempt {}", n(collector), n(attempt))
            }
            Self::CloseForDead { collector } => write!(f, "collector {} abandons the attempt", n(collector)),
            Self::ChooseFiles { collector } => {
                write!(f, "collector {} looks which files are named", n(collector))
            }
            Self::DeleteFiles { collector } => write!(f, "collector {} deletes the others", n(collector)),
            Self::LookBeforeDrop { all: true } => f.write_str("someone wants to drop everything"),
            Self::LookBeforeDrop { all: false } => f.write_str("someone wants to drop the newest version"),
            Self::Drop => f.write_str("the drop is sent"),
            Self::SourceChanges => f.write_str("the source changes"),
            Self::Damage { file } => write!(f, "file {} is damaged", n(file)),
        }
    }
}
