//! The store under races, lost replies, crashes, damage and full disks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod adopting;
mod aged;
mod attempts;
mod buckets;
mod content;
mod damage;
mod datafile;
mod disk;
mod drops;
mod futures_are_send;
mod gc_attempts;
mod gc_disk;
mod gc_files;
mod gc_races;
mod gc_stops;
mod gc_unknown;
mod gc_versions;
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
mod verify_files;
mod verify_logs;
