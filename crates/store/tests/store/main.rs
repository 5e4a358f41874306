//! The store under races, lost replies, crashes, damage and full disks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod adopting;
mod attempts;
mod content;
mod damage;
mod datafile;
mod disk;
mod drops;
mod futures_are_send;
mod job_drivers;
mod job_faults;
mod job_support;
mod jobs;
mod liveness;
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
