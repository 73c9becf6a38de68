//! `muster serve` with nothing configured: its own PostgreSQL, the first admin, and every way to end.

use std::{os::unix::fs::MetadataExt as _, process::Command, time::Instant};

use serde_json::json;

use crate::muster::{Dir, PASSWORD, PATIENCE, Running, is_root, lives, muster, postgres_of, run};

fn unattended(dir: &Dir) -> Command {
    let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
    command.env("MUSTER_ADMIN_PASSWORD", PASSWORD);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn it_brings_its_own_postgres_and_takes_it_down_again() {
    let dir = Dir::new();
    let mut serving = Running::serve(unattended(&dir));
    serving.wait_for("made the first admin, `admin`");
    let (postgres, user) = postgres_of(&dir.data());
    assert_ne!(user, 0, "PostgreSQL never runs as root");
    assert_eq!(std::fs::metadata(dir.data().join("secrets.key")).unwrap().mode() & 0o777, 0o600);

    let get = |path: &str| reqwest::get(format!("{}{path}", serving.url));
    assert_eq!(get("/healthz").await.unwrap().text().await.unwrap(), "ok\n");
    let ready = get("/readyz").await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_eq!(ready.json::<serde_json::Value>().await.unwrap()["ready"], true);
    let token = serving.sign_in("admin").await;
    assert_eq!(serving.ask("GET", "/api/v1/session", &token, None).await["name"], "admin");

    let url = serving.url.clone();
    let log = serving.stop();
    assert!(!lives(postgres), "{log}");
    assert!(!log.contains(" ERROR "), "{log}");
    assert!(reqwest::get(format!("{url}/healthz")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_connections_left_open() {
    let dir = Dir::new();
    let mut command = unattended(&dir);
    command.env("MUSTER_CLIENT_SECONDS", "600");
    let serving = Running::serve(command);
    // A connection somebody keeps open without asking anything: Muster has more patience with it than this test with the stop.
    let idle = std::net::TcpStream::connect(serving.url.trim_start_matches("http://")).unwrap();
    serving.stop();
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_named_with_the_code_from_the_log() {
    let dir = Dir::new();
    let mut serving = Running::serve(muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]));
    let line = serving.wait_for("nobody can sign in yet");
    assert!(line.contains(&format!("open {}/setup", serving.url)), "{line}");
    let code = line.rsplit(' ').next().unwrap();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = [("code", code), ("name", "root"), ("password", PASSWORD), ("password_again", PASSWORD)];
    let made = http.post(format!("{}/setup", serving.url)).form(&form).send().await.unwrap();
    assert_eq!(made.status(), 303);
    serving.sign_in("root").await;
    serving.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_outright_it_takes_postgres_with_it_and_comes_back_whole() {
    let dir = Dir::new();
    let serving = Running::serve(unattended(&dir));
    let token = serving.sign_in("admin").await;
    serving.ask("POST", "/api/v1/teams", &token, Some(json!({"name": "payments"}))).await;
    let (postgres, _) = postgres_of(&dir.data());
    serving.signal("KILL");
    assert_eq!(serving.ended().0, None);

    // At once, while PostgreSQL may still be going down.
    let again = Running::serve(unattended(&dir));
    assert!(!lives(postgres));
    // The session is from before the crash.
    let teams = again.ask("GET", "/api/v1/teams", &token, None).await;
    assert!(teams["items"].as_array().unwrap().iter().any(|team| team["name"] == "payments"), "{teams}");
    assert_eq!(again.ask("GET", "/api/v1/audit/verify", &token, None).await["whole"], true);
    again.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_postgres_is_killed_it_says_so_and_serves_on() {
    let dir = Dir::new();
    let mut serving = Running::serve(unattended(&dir));
    let token = serving.sign_in("admin").await;
    let (postgres, _) = postgres_of(&dir.data());
    assert!(Command::new("kill").args(["-s", "KILL", &postgres.to_string()]).status().unwrap().success());
    serving.wait_for("the private PostgreSQL ended by itself");
    assert_eq!(reqwest::get(format!("{}/healthz", serving.url)).await.unwrap().status(), 200);
    let until = Instant::now() + PATIENCE;
    while reqwest::get(format!("{}/readyz", serving.url)).await.unwrap().status() != 200 {
        assert!(Instant::now() < until, "never ready again");
    }
    serving.ask("GET", "/api/v1/session", &token, None).await;
    serving.stop();
}

#[test]
fn what_is_in_the_way_is_one_sentence_and_exit_code_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = Dir::new();
    let data = dir.data();
    let (code, _, err) =
        run(&mut muster(&["serve", "--data-dir", data.to_str().unwrap(), "--listen", &address]));
    assert_eq!(code, 1);
    assert!(err.starts_with(&format!("muster: could not listen on {address} (MUSTER_LISTEN)")), "{err}");
    assert!(!data.exists(), "nothing was made");

    let nowhere = ["--pg-bin-dir", "/nowhere", "--listen", "127.0.0.1:0"];
    let (code, _, err) = run(muster(&["serve", "--data-dir", data.to_str().unwrap()]).args(nowhere));
    assert_eq!(code, 1);
    assert!(err.contains("muster: no PostgreSQL 14 or later was found (/nowhere)"), "{err}");
}

/// `muster serve` of somebody who is not root, on a directory of theirs. Starts it whenever it is asked to.
fn of_nobody(dir: &Dir) -> impl Fn() -> Running {
    // Where anybody can run it.
    let (binary, data) = (dir.0.join("muster"), dir.data());
    std::fs::copy(env!("CARGO_BIN_EXE_muster"), &binary).unwrap();
    std::fs::create_dir(&data).unwrap();
    assert!(Command::new("chown").arg("nobody").arg(&data).status().unwrap().success());
    move || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=65534", "--clear-groups", "--"]).arg(&binary);
        command.args(["serve", "--data-dir", data.to_str().unwrap()]);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("MUSTER_ADMIN_PASSWORD", PASSWORD).stderr(std::process::Stdio::piped());
        Running::serve(command)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_not_root_needs_no_setting_for_it() {
    if !is_root() {
        // The other tests have shown it.
        return;
    }
    let dir = Dir::new();
    let serving = of_nobody(&dir)();
    let data = dir.data();
    assert_eq!(postgres_of(&data).1, std::fs::metadata(&data).unwrap().uid());
    serving.sign_in("admin").await;
    serving.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_root_beside_a_service_leave_its_directory_to_its_user() {
    if !is_root() {
        // Only root could take it away.
        return;
    }
    let dir = Dir::new();
    let serve = of_nobody(&dir);
    serve().stop();
    let data = dir.data();
    let owner = |inside: &str| std::fs::metadata(data.join(inside)).unwrap().uid();
    let service = owner("");
    assert_ne!(service, 0);

    let of = |words: &[&str]| {
        let (code, out, err) = run(muster(words).args(["--data-dir", data.to_str().unwrap()]));
        assert_eq!(code, 0, "{words:?}: {out}{err}");
    };
    of(&["doctor"]);
    let new = dir.0.join("new.key");
    of(&["secrets", "rotate", "--new-key-file", new.to_str().unwrap()]);
    for inside in ["", "pgdata", "socket", "lock", "postgres.log", "secrets.key"] {
        assert_eq!(owner(inside), service, "{inside}");
    }
    let key = data.join("secrets.key");
    std::fs::rename(&new, &key).unwrap();
    assert!(Command::new("chown").arg("nobody").arg(&key).status().unwrap().success());
    let serving = serve();
    serving.sign_in("admin").await;
    serving.stop();
}
