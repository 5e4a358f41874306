//! Fixed numbers for DataFusion's small enums.

use datafusion::common::{JoinConstraint, JoinType, NullEquality, NullHandling};
use datafusion::logical_expr::expr::{NullTreatment, SetQuantifier};
use datafusion::logical_expr::{Operator, WindowFrameUnits};

pub(super) fn operator(operator: Operator) -> u8 {
    use Operator as O;
    match operator {
        O::Eq => 0,
        O::NotEq => 1,
        O::Lt => 2,
        O::LtEq => 3,
        O::Gt => 4,
        O::GtEq => 5,
        O::Plus => 6,
        O::Minus => 7,
        O::Multiply => 8,
        O::Divide => 9,
        O::Modulo => 10,
        O::And => 11,
        O::Or => 12,
        O::IsDistinctFrom => 13,
        O::IsNotDistinctFrom => 14,
        O::RegexMatch => 15,
        O::RegexIMatch => 16,
        O::RegexNotMatch => 17,
        O::RegexNotIMatch => 18,
        O::LikeMatch => 19,
        O::ILikeMatch => 20,
        O::NotLikeMatch => 21,
        O::NotILikeMatch => 22,
        O::BitwiseAnd => 23,
        O::BitwiseOr => 24,
        O::BitwiseXor => 25,
        O::BitwiseShiftRight => 26,
        O::BitwiseShiftLeft => 27,
        O::StringConcat => 28,
        O::AtArrow => 29,
        O::ArrowAt => 30,
        O::Arrow => 31,
        O::LongArrow => 32,
        O::HashArrow => 33,
        O::HashLongArrow => 34,
        O::AtAt => 35,
        O::IntegerDivide => 36,
        O::HashMinus => 37,
        O::AtQuestion => 38,
        O::Question => 39,
        O::QuestionAnd => 40,
        O::QuestionPipe => 41,
        O::Colon => 42,
    }
}

pub(super) fn join_type(join: JoinType) -> u8 {
    match join {
        JoinType::Inner => 0,
        JoinType::Left => 1,
        JoinType::Right => 2,
        JoinType::Full => 3,
        JoinType::LeftSemi => 4,
        JoinType::RightSemi => 5,
        JoinType::LeftAnti => 6,
        JoinType::RightAnti => 7,
        JoinType::LeftMark => 8,
        JoinType::RightMark => 9,
    }
}

pub(super) fn join_constraint(constraint: JoinConstraint) -> u8 {
    match constraint {
        JoinConstraint::On => 0,
        JoinConstraint::Using => 1,
    }
}

pub(super) fn null_equality(equality: NullEquality) -> u8 {
    match equality {
        NullEquality::NullEqualsNothing => 0,
        NullEquality::NullEqualsNull => 1,
    }
}

pub(super) fn null_handling(handling: NullHandling) -> u8 {
    match handling {
        NullHandling::Drop => 0,
        NullHandling::Preserve => 1,
        NullHandling::PreserveAndExpandEmpty => 2,
    }
}

pub(super) fn null_treatment(treatment: Option<NullTreatment>) -> u8 {
    match treatment {
        None => 0,
        Some(NullTreatment::IgnoreNulls) => 1,
        Some(NullTreatment::RespectNulls) => 2,
    }
}

pub(super) fn quantifier(quantifier: SetQuantifier) -> u8 {
    match quantifier {
        SetQuantifier::Any => 0,
        SetQuantifier::All => 1,
    }
}

pub(super) fn frame_units(units: WindowFrameUnits) -> u8 {
    match units {
        WindowFrameUnits::Rows => 0,
        WindowFrameUnits::Range => 1,
        WindowFrameUnits::Groups => 2,
    }
}
