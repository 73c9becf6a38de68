//! Findings by command, and evidence that is checked without a server.

use serde_json::Value;

use super::Shell;
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn findings_by_command_and_evidence_checked_without_a_server() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let otto = Shell::of(&app, &url, "otto").await;
    let text = "--text=DNS cached in clients";
    let made = otto.run(["findings", "raise", "orders", text, "--severity", "high"]).await;
    let id = made.id();
    let listed = otto.muster("findings list --open").await.done();
    assert!(listed.contains("DNS cached in clients") && listed.contains("high"), "{listed}");
    otto.run(["findings", "close", &id, "--resolution", "TTL lowered"]).await.done();
    assert!(!otto.muster("findings list --open").await.done().contains("DNS"));
    otto.run(["findings", "reopen", &id]).await.done();
    let line = format!("findings edit {id} --owner mira --severity low --due 2027-01-31");
    let edited: Value = serde_json::from_str(&otto.muster(&line).await.done()).unwrap();
    assert_eq!((&edited["owner"], &edited["due"]), (&"mira".into(), &"2027-01-31".into()), "{edited:#}");
    let dateless: Value =
        serde_json::from_str(&otto.muster(&format!("findings edit {id} --no-due")).await.done()).unwrap();
    assert_eq!((&dateless["severity"], &dateless["due"]), (&"low".into(), &Value::Null), "{dateless:#}");
    assert!(otto.muster("findings list --open --owner mira").await.done().contains("DNS"));
    let nothing = otto.muster(&format!("findings edit {id}")).await;
    assert!(nothing.code == 1 && nothing.err.contains("Nothing is to be changed"), "{nothing:?}");

    let (_, run) = crate::runs::requested(&app).await;
    let report = otto.muster(&format!("run report {run}")).await.done();
    let audit = Shell::of(&app, &url, "ada").await.muster("audit export").await.done();
    // Nobody answers at this address: what verifies a file needs nobody.
    let alone = Shell::of(&app, "http://127.0.0.1:9", "nobody").await;
    let good = alone.file("run.report.json", &report);
    let said = alone.muster(&format!("verify {good}")).await.done();
    assert_eq!(said.lines().filter(|line| line.starts_with("ok  ")).count(), 4, "{said}");
    let touched = alone.file("touched.json", &report.replace("brokers are slow", "all is well"));
    let said = alone.muster(&format!("verify {touched}")).await;
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.out.starts_with("FAIL  the file is whole"), "{}", said.out);
    let chain = alone.file("audit.ndjson", &audit);
    assert!(alone.muster(&format!("verify {chain}")).await.done().starts_with("ok    the chain is whole"));
    let without = audit.split_once('\n').map_or("", |(_, rest)| rest);
    let cut = alone.muster(&format!("verify {}", alone.file("cut.ndjson", without))).await;
    assert!(cut.code == 1 && cut.out.contains("entry 1 is missing"), "{}", cut.out);
    let other = alone.muster(&format!("verify {}", alone.file("notes.txt", "hello"))).await;
    assert!(other.code == 1 && other.err.contains("no entry of an audit"), "{}", other.err);
}
