//! Of several processes one writes, whoever dies, loses the pair or has it again.

use muster_kafka::double::When;
use muster_replication::Replication as _;
use muster_store::leases;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_between_writing_and_keeping_leaves_a_record_nobody_waits_for() {
    let app = measured().await;
    app.small.west_to_central.stop(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    turn(&app, &mut CanaryMemory::default()).await;
    assert_eq!(canary(&app).await["items"][0]["outstanding"], 1, "what this process wrote waits");
    app.small.west_to_central.resume(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    let before = written(&app).len();
    app.small.world.lock().faults.fail("read", 1, When::Before, Fault::Hang);
    let (mut dying, process, pair) = (CanaryMemory::default(), carrier(&app, "test"), name());
    tokio::select! {
        turned = process.turn(&pair, &mut dying) => panic!("it should hang: {turned:?}"),
        () = app.small.world.hung() => {}
    }
    assert_eq!(written(&app).len(), before + 1, "it died with its record written");
    assert_eq!(canary(&app).await["items"][0]["outstanding"], 1, "and did not keep it");
    turn(&app, &mut CanaryMemory::default()).await;
    let next = canary(&app).await["items"][0].clone();
    assert_eq!((&next["state"], &next["outstanding"]), (&json!("arrives"), &json!(0)), "{next:#}");
    assert_eq!(next["hour"]["seen"], 3, "only who wrote a record measures it: {next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_the_one_that_observes_the_pair_writes() {
    let app = with_canary().await;
    let (mut memory, mut others) = (CanaryMemory::default(), CanaryMemory::default());
    let other = carrier(&app, "other");
    assert_eq!(other.turn(&name(), &mut others).await.unwrap(), Turned::NotMine);
    turn(&app, &mut memory).await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let lease = leases::survey_lease(&name());
    // About to lose it: what would be written might be written beside another's.
    leases::claim(&mut conn, &lease, "test", 5.0).await.unwrap().unwrap();
    assert_eq!(turn(&app, &mut memory).await, Turned::NotMine);
    leases::release_all(&mut conn, "test").await.unwrap();
    leases::claim(&mut conn, &lease, "other", 60.0).await.unwrap().unwrap();
    assert_eq!(turn(&app, &mut memory).await, Turned::NotMine);
    assert_eq!(written(&app).len(), 1);
    other.turn(&name(), &mut others).await.unwrap();
    assert_eq!((written(&app).len(), &canary(&app).await["items"][0]["state"]), (2, &json!("arrives")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_pair_again_does_not_measure_what_it_wrote_before() {
    let app = with_canary().await;
    let (mut memory, mut others) = (CanaryMemory::default(), CanaryMemory::default());
    turn(&app, &mut memory).await;
    app.small.west_to_central.stop(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    turn(&app, &mut memory).await;
    assert_eq!(canary(&app).await["items"][0]["outstanding"], 1, "it waits for what it wrote");
    app.small.west_to_central.resume(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;

    // Another one has the pair for a while, and the first does not come to look meanwhile.
    let mut conn = app.app.pool.acquire().await.unwrap();
    let lease = leases::survey_lease(&name());
    leases::release_all(&mut conn, "test").await.unwrap();
    leases::claim(&mut conn, &lease, "other", 60.0).await.unwrap().unwrap();
    carrier(&app, "other").turn(&name(), &mut others).await.unwrap();
    let seen = canary(&app).await["items"][0].clone();
    assert_eq!((&seen["outstanding"], &seen["hour"]["seen"]), (&json!(0), &json!(2)), "{seen:#}");
    leases::release_all(&mut conn, "other").await.unwrap();
    leases::claim(&mut conn, &lease, "test", 60.0).await.unwrap().unwrap();
    turn(&app, &mut memory).await;
    let again = canary(&app).await["items"][0].clone();
    assert_eq!((&again["state"], &again["outstanding"]), (&json!("arrives"), &json!(0)), "{again:#}");
    assert_eq!(again["hour"]["seen"], 3, "not what was there long before it looked: {again:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_pair_during_a_turn_keeps_nothing_of_it() {
    let app = with_canary().await;
    turn(&app, &mut CanaryMemory::default()).await;
    let kept = canary(&app).await["items"][0]["written_at"].clone();
    app.small.world.lock().faults.fail("read", 1, When::Before, Fault::Hang);
    let (mut memory, process, pair) = (CanaryMemory::default(), carrier(&app, "test"), name());
    let losing = async {
        app.small.world.hung().await;
        let mut conn = app.app.pool.acquire().await.unwrap();
        leases::release_all(&mut conn, "test").await.unwrap();
        leases::claim(&mut conn, &leases::survey_lease(&name()), "other", 60.0).await.unwrap().unwrap();
    };
    let (turned, ()) = tokio::join!(process.turn(&pair, &mut memory), losing);
    assert_eq!(turned.unwrap(), Turned::NotMine);
    assert_eq!(canary(&app).await["items"][0]["written_at"], kept);
}
