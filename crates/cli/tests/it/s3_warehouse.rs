//! A warehouse in an S3-compatible store, from a sample to a publish and to retention.

use crate::cluster::{Outside, Project, s3, s3_setting, says, variable};
use crate::support::DAYS;

const TABLES: [&str; 3] = ["accounts", "parties", "party_address"];

/// A project with the environments `s3` and `disk`, with the same sample in both.
fn sampled(test: &str) -> (Project, String) {
    let project = Project::new(test);
    let home = format!("s3://{}/{}", variable("S3_BUCKET"), project.name);
    project.scratch.write("s3_key", variable("S3_SECRET_ACCESS_KEY"));
    project.environment("s3", &format!("warehouse: \"{home}\", {}", s3_setting(("", ""))));
    project.environment("disk", "warehouse: ./warehouse");
    for env in ["s3", "disk"] {
        project.sample(env, 300, 3, &[]);
    }
    (project, home)
}

#[test]
fn published_from_s3_as_from_disk() {
    let (project, home) = sampled("s3_whole");
    project.hivecast("s3", &["check"]).succeeded();
    let report = project.hivecast("s3", &["tables", "--feed", "contracts", "--json"]).succeeded().json();
    for table in report["tables"].as_array().unwrap() {
        let day = &table["day"];
        assert!(day["location"].as_str().unwrap().starts_with(&home), "{table}");
        assert_eq!((&day["ready"], &table["load_dates"]["count"]), (&true.into(), &3.into()), "{table}");
    }
    let built = project.run("s3", &["build", "--load-date", DAYS[0]]);
    assert_eq!(built["outcome"], "built");
    for day in DAYS {
        let from_s3 = project.run("s3", &["publish", "--load-date", day]);
        let from_disk = project.run("disk", &["publish", "--load-date", day]);
        assert_eq!(from_s3["outcome"], "published", "{from_s3}");
        assert_eq!(from_s3["edition"]["checksum"], from_disk["edition"]["checksum"]);
        assert!(from_s3["edition"]["documents"].as_u64().unwrap() > 200, "{from_s3}");
    }
    project.hivecast("s3", &["verify"]).succeeded();
}

#[test]
fn old_exports_go_from_s3() {
    let (project, home) = sampled("s3_prune");
    project.hivecast("s3", &["publish", "--load-date", DAYS[1]]).succeeded();
    let database = Outside::new(&format!("{home}/{}.db", project.name), s3());
    let all = database.tree();
    let prune = ["prune", "--exports", "--keep", "1"];
    let dry = project.hivecast("s3", &[&prune[..], &["--dry-run"]].concat()).succeeded().stdout;
    says(&dry, &["would remove 3 exports", &format!("accounts {}: {home}", DAYS[0])]);
    assert_eq!(database.tree(), all, "--dry-run changes nothing");
    let told = project.hivecast("s3", &prune).succeeded().stdout;
    says(&told, &["removed 3 exports"]);
    let old = format!("load_date={}", DAYS[0]);
    let kept: Vec<_> = all.into_iter().filter(|(path, _)| !path.contains(&old)).collect();
    assert_eq!(database.tree(), kept, "the published day and the newer one are whole");
    for table in TABLES {
        let dir = Outside::new(&format!("{home}/{}.db/{table}", project.name), s3());
        assert_eq!(dir.names(), [format!("load_date={}", DAYS[1]), format!("load_date={}", DAYS[2])]);
    }
    assert_eq!(project.hivecast("s3", &prune).succeeded().stdout, "nothing to remove\n");
}

#[test]
fn a_key_that_is_wrong_is_denied() {
    let (project, home) = sampled("s3_denied");
    let wrong = s3_setting(("secret_access_key", "${WRONG_KEY}"));
    project.environment("wrong", &format!("warehouse: \"{home}\", {wrong}"));
    let args = ["--quiet", "--env", "wrong", "publish", "--load-date", DAYS[2]];
    let mut command = project.scratch.command(args);
    let ran = project.scratch.finish(command.env("WRONG_KEY", "wr0ng-secret").spawn().unwrap());
    assert!(!format!("{ran:?}").contains("wr0ng-secret"), "{ran:?}");
    let said = ran.failed(30);
    // Nothing of the warehouse can be looked at, so no table is named.
    says(&said, &[&home, &variable("S3")]);
}

#[test]
fn a_bucket_that_is_not_there_is_a_mistake_of_the_environment() {
    let (project, _) = sampled("s3_bucket");
    let right = s3_setting(("region", "us-east-1"));
    project.environment("nowhere", &format!("warehouse: \"s3a://no-such-bucket/w\", {right}"));
    for line in [&["tables"][..], &["sample", "--accounts", "3", "--days", "1"]] {
        let said = project.hivecast("nowhere", line).failed(2);
        says(&said, &["no such bucket", "help: make the bucket no-such-bucket"]);
        assert_eq!(said.matches("s3://no-such-bucket").count(), 1, "{said}");
    }
}
