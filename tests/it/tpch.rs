//! TPC-H with checkpoints: `sql/jobs/tpch.sql`, and what measured sizes make of plans.

use datafusion::prelude::{SessionConfig, SessionContext};
use milepost::Session;
use milepost_tests::table::{Compare, Table};
use milepost_tests::tpch;

use crate::support::{ANY_ORDER, assert_same, open_memory, physical, run, table, tpch_tables, unique};

/// The job that the benchmarks run asks what the 22 queries ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_that_share_their_parts_have_the_same_answers() {
    let folder = tpch_tables().await;
    let (plain, session) = (SessionContext::new(), open_memory(&unique("tpch")).await);
    tpch::register(&plain, &folder).await.unwrap();
    let job = include_str!("../../sql/jobs/tpch.sql").replace("${data}", &folder.display().to_string());
    let mut questions = tpch::QUERIES.into_iter();
    for statement in job.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        let found = table(&session, statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
        let asks = |line: &&str| !line.starts_with("--") && !line.trim().is_empty();
        let first = statement.lines().find(asks).unwrap();
        if first.starts_with("CREATE") || first.starts_with("CHECKPOINT") {
            continue;
        }
        let (title, sql) = questions.next().unwrap();
        let expected = Table::collect(plain.sql(sql).await.unwrap()).await.unwrap();
        assert_same(&expected, &found, Compare { in_order: true, approximate: false }, title);
    }
    assert_eq!(questions.next(), None, "all are asked");
}

/// The part of question 18 that DataFusion cannot guess: of all orders it takes a fifth to be that large, and it is a handful.
const LARGE: &str = "SELECT l_orderkey, sum(l_quantity) AS quantity FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 300";

async fn question_18(large: &str) -> (Session, String) {
    // What is small enough to be built once for all partitions is as much less as the tables are than those of scale 1.
    let mut config = SessionConfig::new().with_target_partitions(2).with_information_schema(true);
    config.options_mut().optimizer.hash_join_single_partition_threshold = 10 << 10;
    config.options_mut().optimizer.hash_join_single_partition_threshold_rows = 1_280;
    let store = format!("memory://{}", unique("question"));
    let session = Session::builder().with_config(config).with_store_url(&store).build().await.unwrap();
    tpch::register(&session, &tpch_tables().await).await.unwrap();
    run(&session, &format!("CHECKPOINT large AS {LARGE}")).await.unwrap();
    let sql = format!(
        "SELECT c_name, o_orderkey, o_totalprice, quantity FROM orders
         JOIN {large} ON l_orderkey = o_orderkey JOIN customer ON c_custkey = o_custkey"
    );
    (session, sql)
}

/// The joins of a plan, from the top.
fn joins(plan: &str) -> Vec<String> {
    let joins = plan.lines().map(str::trim).filter(|line| line.starts_with("HashJoinExec"));
    joins.map(|line| line.split(", projection").next().unwrap().to_string()).collect()
}

/// Without a checkpoint both joins deal all orders and customers out by a hash. With one, a few rows are built on in both.
#[tokio::test]
async fn measured_sizes_decide_about_build_sides_and_modes() {
    let (session, guessed) = question_18(&format!("({LARGE}) AS large")).await;
    let (_, measured) = question_18("large").await;
    let plan = async |sql: &str| physical(session.sql(sql).await.unwrap()).await;
    let (before, after) = (plan(&guessed).await, plan(&measured).await);
    assert_eq!(
        joins(&before),
        [
            "HashJoinExec: mode=Partitioned, join_type=Inner, on=[(c_custkey@0, o_custkey@1)]",
            "HashJoinExec: mode=Partitioned, join_type=Inner, on=[(l_orderkey@0, o_orderkey@0)]",
        ],
        "{before}"
    );
    assert_eq!(
        joins(&after),
        [
            "HashJoinExec: mode=CollectLeft, join_type=Inner, on=[(o_custkey@1, c_custkey@0)]",
            "HashJoinExec: mode=CollectLeft, join_type=Inner, on=[(l_orderkey@0, o_orderkey@0)]",
        ],
        "{after}"
    );
    assert!(
        before.contains("RepartitionExec: partitioning=Hash")
            && !after.contains("RepartitionExec: partitioning=Hash")
    );
    let (expected, found) =
        (table(&session, &guessed).await.unwrap(), table(&session, &measured).await.unwrap());
    assert!(!expected.rows.is_empty());
    assert_same(&expected, &found, ANY_ORDER, "question 18");
}

/// What EXPLAIN shows is what would run, also where the sizes of a snapshot decide.
#[tokio::test]
async fn explain_shows_the_plan_that_measured_sizes_make() {
    let (session, sql) = question_18("large").await;
    let runs = physical(session.sql(&sql).await.unwrap()).await;
    let shown = table(&session, &format!("EXPLAIN FORMAT INDENT {sql}")).await.unwrap();
    let shown = shown.rows.iter().find(|row| row[0].to_string() == "physical_plan").unwrap()[1].to_string();
    assert!(shown.contains("CheckpointExec: large: read, version 1 is fresh"), "{shown}");
    assert_eq!(joins(&shown), joins(&runs), "{shown}");
}
