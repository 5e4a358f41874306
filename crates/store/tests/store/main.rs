//! The store under races, lost replies, crashes, damage and full disks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod content;
mod damage;
mod datafile;
mod disk;
mod drops;
mod futures_are_send;
mod logs;
mod lost_replies;
mod opening;
mod overview;
mod races;
mod receipts;
mod rules;
mod side_files;
mod stops;
mod support;
mod types;
