//! Runs from the command line.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use muster_domain::run::RESTORED;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::{Client, time},
    commands::{ListedRuns, Run},
    comparisons, print,
    progress::Progress,
    refused::may_pass,
};

/// Exit code of a watched run that has ended and did not succeed.
const RUN_FAILED: u8 = 3;
/// Exit code of a watched run that goes on only when somebody does something. Whoever takes it for over may leave writes away.
const RUN_WAITS: u8 = 4;

/// What comes next for a run that was restored from a backup: no act before that.
const LOOK_FIRST: &str =
    "look at both clusters, then do what `muster runbooks` says (A run was restored from a backup)";

/// `muster run …`.
pub(super) async fn run(client: &Client, command: Run) -> anyhow::Result<ExitCode> {
    let done = ExitCode::SUCCESS;
    match command {
        Run::List(listed) => list(client, listed).await.map(|()| done),
        Run::Show { run } => show(client, run).await.map(|()| done),
        Run::Watch { run } => watch(client, run).await,
        Run::Request { plan, reason } => {
            let body = json!({"plan": plan, "reason": reason});
            tell(client, &client.post("/api/v1/runs", &body).await?);
            Ok(done)
        }
        Run::Approve(c) => act(client, c.run, "approve", json!({"comment": c.comment})).await.map(|()| done),
        Run::Reject(c) => act(client, c.run, "reject", json!({"comment": c.comment})).await.map(|()| done),
        Run::Start(f) => follow(client, f.run, f.wait, "start").await,
        Run::Confirm(f) => follow(client, f.run, f.wait, "confirm").await,
        Run::Resume(f) => follow(client, f.run, f.wait, "resume").await,
        Run::Pause(of) => act(client, of.run, "pause", json!({})).await.map(|()| done),
        Run::Retry(r) => act(client, r.run, "retry", json!({"reason": r.reason})).await.map(|()| done),
        Run::Skip { run, step, reason } => {
            act(client, run, "skip", json!({"step": step, "reason": reason})).await.map(|()| done)
        }
        Run::Abort(r) => act(client, r.run, "abort", json!({"reason": r.reason})).await.map(|()| done),
        Run::Close(r) => act(client, r.run, "close", json!({"reason": r.reason})).await.map(|()| done),
        Run::Attest { run, verdict, comment } => {
            let body = json!({"verdict": verdict.as_str(), "comment": comment});
            act(client, run, "attest", body).await.map(|()| done)
        }
        Run::BreakGlass { run, pair, reason, overridden, wait } => {
            break_glass(client, run, &pair, json!({"reason": reason, "overridden": overridden})).await?;
            if wait { watch(client, run).await } else { Ok(done) }
        }
        Run::Review { run, verdict, comment } => {
            let body = json!({"verdict": verdict.as_str(), "comment": comment});
            act(client, run, "review", body).await.map(|()| done)
        }
        Run::Report(of) => {
            print::json(&client.get(&format!("/api/v1/runs/{}/report", of.run)).await?);
            Ok(done)
        }
        Run::Compare { run, with } => comparisons::compare(client, run, with).await.map(|()| done),
    }
}

/// Starts a run without approval, by the plan as it is now, of the pair that was typed.
async fn break_glass(client: &Client, run: Uuid, pair: &str, mut body: Value) -> anyhow::Result<()> {
    let read = client.get(&format!("/api/v1/runs/{run}")).await?;
    anyhow::ensure!(
        read["pair"] == pair,
        "Run {run} is of the pair `{}`, not `{pair}`: nothing was started.",
        print::word(&read, "pair")
    );
    body["plan_hash"] = read["plan_hash"].clone();
    let path = format!("/api/v1/runs/{run}/break_glass");
    tell(client, &client.post(&path, &body).await?);
    Ok(())
}

async fn list(client: &Client, listed: ListedRuns) -> anyhow::Result<()> {
    let drill = match (listed.drill, listed.no_drill) {
        (true, _) => Some("true".to_owned()),
        (false, true) => Some("false".to_owned()),
        (false, false) => None,
    };
    let query = [
        ("pair", listed.pair),
        ("operation", listed.operation),
        ("state", listed.state),
        ("since", listed.since.map(time)),
        ("until", listed.until.map(time)),
        ("drill", drill),
        ("text", listed.text),
    ];
    let reply = client.pages("/api/v1/runs", &query, Some(listed.limit)).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let row = |run: &Value| {
        let mut row =
            ["number", "pair", "operation", "course", "state"].map(|key| print::word(run, key)).to_vec();
        row.extend([print::time(run, "created_at"), print::word(run, "id")]);
        row
    };
    let rows: Vec<Vec<String>> = print::items(&reply).iter().map(row).collect();
    print::table(&["RUN", "PAIR", "OPERATION", "COURSE", "STATE", "ASKED", "ID"], &rows);
    Ok(())
}

async fn show(client: &Client, run: Uuid) -> anyhow::Result<()> {
    let mut reply = client.get(&format!("/api/v1/runs/{run}")).await?;
    let steps = client.get(&format!("/api/v1/runs/{run}/steps")).await?;
    if client.json {
        reply["steps"] = steps["items"].clone();
        print::json(&reply);
        return Ok(());
    }
    tell(client, &reply);
    let row =
        |step: &Value| ["state", "phase", "title", "sentence"].map(|key| print::word(step, key)).to_vec();
    let rows: Vec<Vec<String>> = print::items(&steps).iter().map(row).collect();
    print::table(&["STATE", "PHASE", "STEP", ""], &rows);
    Ok(())
}

async fn act(client: &Client, run: Uuid, verb: &str, body: Value) -> anyhow::Result<()> {
    tell(client, &client.post(&format!("/api/v1/runs/{run}/{verb}"), &body).await?);
    Ok(())
}

async fn follow(client: &Client, run: Uuid, wait: bool, verb: &str) -> anyhow::Result<ExitCode> {
    act(client, run, verb, json!({})).await?;
    if wait { watch(client, run).await } else { Ok(ExitCode::SUCCESS) }
}

/// Prints what happens until the run ends or waits for somebody. Where Muster or its database is away for a while the run is
/// watched on: who waits for its exit code must not take that for its end.
async fn watch(client: &Client, run: Uuid) -> anyhow::Result<ExitCode> {
    let mut seen = 0;
    let mut untaken_since = None;
    let mut silence = Silence::default();
    let progress = Progress::new();
    loop {
        let looked = look(client, run, seen, progress.is_seen()).await;
        let (said, looked) = silence.heard(looked, Instant::now())?;
        if let Some(said) = said {
            progress.above(|| eprintln!("{said}"));
        }
        let Some(Looked { events, now, steps }) = looked else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        for event in print::items(&events) {
            seen = event["number"].as_i64().unwrap_or(seen);
            progress.above(|| match client.json {
                true => println!("{event}"),
                false => println!("{}  {}", print::time(event, "at"), print::word(event, "message")),
            });
        }
        if !moves(&now) {
            progress.clear();
            return Ok(rests(client, &now));
        }
        if let Some(steps) = steps {
            progress.show(&steps);
        }
        progress.above(|| say_when_nobody_works(&now, &mut untaken_since));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What one look at a run has found.
struct Looked {
    events: Value,
    now: Value,
    steps: Option<Value>,
}

async fn look(client: &Client, run: Uuid, seen: i64, with_steps: bool) -> anyhow::Result<Looked> {
    let events = client.get(&format!("/api/v1/runs/{run}/events?after={seen}&format=json")).await?;
    let now = client.get(&format!("/api/v1/runs/{run}")).await?;
    let steps = match with_steps && moves(&now) {
        true => Some(client.get(&format!("/api/v1/runs/{run}/steps")).await?),
        false => None,
    };
    Ok(Looked { events, now, steps })
}

/// How long a run is watched without an answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(120);

/// Since when nothing has answered.
#[derive(Debug, Default)]
struct Silence(Option<Instant>);

impl Silence {
    /// What is to be said of an answer or its absence, and the answer. Fails when waiting does not help, or has lasted too long.
    fn heard<T>(
        &mut self,
        answer: anyhow::Result<T>,
        now: Instant,
    ) -> anyhow::Result<(Option<String>, Option<T>)> {
        match (answer, self.0) {
            (Ok(answer), since) => {
                self.0 = None;
                let back = since.map(|since| {
                    let silent = now.duration_since(since).as_secs();
                    format!("Muster answers again, after {silent} s.")
                });
                Ok((back, Some(answer)))
            }
            (Err(error), _) if !may_pass(&error) => Err(error),
            (Err(error), None) => {
                self.0 = Some(now);
                let most = LONGEST_SILENCE.as_secs();
                Ok((Some(format!("{error:#}\nThe run does not depend on this command. Asking again for {most} s.")), None))
            }
            (Err(error), Some(since)) if now.duration_since(since) > LONGEST_SILENCE => Err(error.context(
                "The run is not followed any more. It may go on all the same: follow it again by `muster run watch`",
            )),
            (Err(_), Some(_)) => Ok((None, None)),
        }
    }
}

/// Whether a run goes on by itself.
fn moves(now: &Value) -> bool {
    ["running", "rolling_back", "verifying", "cleaning_up"].iter().any(|state| now["state"] == *state)
}

/// Tells where a run rests and by which command it goes on.
fn rests(client: &Client, now: &Value) -> ExitCode {
    let (id, state) = (print::word(now, "id"), print::word(now, "state"));
    let next = match state.as_str() {
        "succeeded" | "passed" => return ExitCode::SUCCESS,
        "awaiting_approval" => Some(format!("somebody else: muster run approve {id}")),
        "approved" => Some(format!("muster run start {id}")),
        "waiting_for_input" => Some(format!("muster run confirm {id}, or muster run abort {id} --reason …")),
        "paused_by_operator" | "stuck" if now["state_reason"] == RESTORED => Some(LOOK_FIRST.to_owned()),
        "paused_by_operator" => Some(format!("muster run resume {id}, or muster run abort {id} --reason …")),
        "awaiting_attestation" => {
            Some(format!("somebody else: muster run attest {id} --verdict passed|failed|inconclusive"))
        }
        "paused_by_failure" => Some(format!("mend the cause, then muster run retry {id} --reason …")),
        "stuck" => Some(format!(
            "mend the cause, then muster run retry {id} --reason …, or muster run close {id} --reason …"
        )),
        _ => None,
    };
    tell(client, now);
    if let Some(next) = next.as_ref().filter(|_| !client.json) {
        println!("Next: {next}");
    }
    ExitCode::from(if next.is_some() { RUN_WAITS } else { RUN_FAILED })
}

/// The first worker that takes a run begins its first epoch; where none does, the person who watches should know.
fn say_when_nobody_works(now: &Value, since: &mut Option<Instant>) {
    const SAY_AFTER: Duration = Duration::from_secs(15);
    if now["epoch"].as_i64().is_none_or(|epoch| epoch > 0) {
        return;
    }
    let began = *since.get_or_insert_with(Instant::now);
    if began.elapsed() > SAY_AFTER {
        eprintln!(
            "No worker has taken this run yet: is a `muster serve` or `muster worker` up? Still waiting."
        );
        *since = Some(Instant::now());
    }
}

/// Where a run is, in a line.
pub(super) fn tell(client: &Client, run: &Value) {
    if client.json {
        print::json(run);
        return;
    }
    let why = run["state_reason"].as_str().unwrap_or_default();
    println!(
        "Run {} ({}), {} of {}, {}: {}{}",
        print::word(run, "number"),
        print::word(run, "id"),
        print::word(run, "operation"),
        print::word(run, "pair"),
        print::word(run, "course"),
        print::word(run, "state").replace('_', " "),
        if why.is_empty() { String::new() } else { format!(" ({why})") }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn no_answer() -> anyhow::Error {
        // The port of nobody: refused at once.
        let error = reqwest::Client::new().get("http://127.0.0.1:1/").send().await.unwrap_err();
        anyhow::Error::new(error).context("no answer")
    }

    #[tokio::test]
    async fn silence_is_waited_out_for_two_minutes_and_no_longer() {
        let mut silence = Silence::default();
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let (said, answer) = silence.heard::<u8>(Err(no_answer().await), at(0)).unwrap();
        assert!(said.unwrap().contains("Asking again for 120 s"));
        assert_eq!(answer, None);
        assert_eq!(silence.heard::<u8>(Err(no_answer().await), at(119)).unwrap(), (None, None));
        let (said, answer) = silence.heard(Ok(7), at(120)).unwrap();
        assert_eq!((said.as_deref(), answer), (Some("Muster answers again, after 120 s."), Some(7)));
        assert_eq!(silence.heard(Ok(8), at(121)).unwrap(), (None, Some(8)));
        // It counts from the last answer.
        silence.heard::<u8>(Err(no_answer().await), at(200)).unwrap();
        silence.heard::<u8>(Err(no_answer().await), at(320)).unwrap();
        assert!(silence.heard::<u8>(Err(no_answer().await), at(321)).is_err());
        // What does not pass by itself is not waited for.
        assert!(Silence::default().heard::<u8>(Err(anyhow::anyhow!("no such run")), at(0)).is_err());
    }
}
