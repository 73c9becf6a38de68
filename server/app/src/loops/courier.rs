//! Delivers what the outbox holds: at least once, under one id, by any number of processes.
//!
//! A delivery is taken for a minute, tried within less than that, and ended. Dying in between means that somebody tries
//! again, with the same id; a receiver that has seen the id ignores it. Nothing here decides what is told or to whom.

mod http;
mod mail;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::notification::{Channel, ChannelKind, GIVE_UP_AFTER, Message, Next, after_failure};
use muster_routing::outbound;
use muster_store::{
    StoreError, channels, clock,
    outbox::{self, Ended, Taken},
    secrets::{self, SecretsKey},
};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    http::{Answer, failure::chain},
    process::{config::NotifyConfig, telemetry::Beat},
};
use mail::Mail;

/// How long a process has for one attempt before others take it for dead.
const LEASE: TimeDelta = outbox::HELD_AT_MOST;
/// One attempt; more than any receiver is waited for, less than the lease, and than a process that is told to stop waits.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(15);
/// Pause between two looks for messages.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Deliveries a process makes at the same time, so that a slow receiver does not hold up the others.
const HANDS: usize = 4;

/// Why a message did not arrive.
struct NotSent {
    why: String,
    then: Then,
}

/// What another attempt is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It may arrive later.
    Later,
    /// The receiver says that it is wrong: the same again is refused again.
    AsRefused,
    /// Some have it already, and would have it twice.
    Nothing,
}

impl From<String> for NotSent {
    fn from(why: String) -> Self {
        Self { why, then: Then::Later }
    }
}

/// What deliveries are made with.
pub struct Courier {
    pool: PgPool,
    key: Arc<SecretsKey>,
    public_url: Arc<str>,
    allow_private: bool,
    client: Result<reqwest::Client, String>,
    mail: Option<Mail>,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier; connects to nothing yet.
    ///
    /// # Errors
    /// When the settings of the mail server do not hold together.
    pub fn new(
        pool: PgPool,
        key: Arc<SecretsKey>,
        public_url: Arc<str>,
        allow_private: bool,
        config: &NotifyConfig,
    ) -> anyhow::Result<Self> {
        let mail = Mail::from_config(config)?;
        Ok(Self { pool, key, public_url, allow_private, client: outbound::client(allow_private), mail })
    }

    /// Whether it can send mail.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.mail.is_some()
    }

    /// Whether addresses inside the network may be called.
    #[must_use]
    pub fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// Delivers until shutdown.
    pub async fn run(self: Arc<Self>, beat: Beat, shutdown: CancellationToken) {
        let mut hands = JoinSet::new();
        for _ in 0..HANDS {
            hands.spawn(Arc::clone(&self).deliver_until(beat.clone(), shutdown.clone()));
        }
        while hands.join_next().await.is_some() {}
    }

    async fn deliver_until(self: Arc<Self>, beat: Beat, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let looked = self.look().await;
            beat.turned(looked.is_ok());
            match looked {
                Ok(true) => continue,
                Ok(false) => {}
                Err(failure) => {
                    tracing::warn!(cause = %failure.problem.detail, "could not look for messages to deliver; tried again shortly");
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&self) -> Answer<bool> {
        let now = clock::now(&mut *self.pool.acquire().await?).await?;
        self.deliver_one(now).await
    }

    /// Makes one delivery whose time has come; whether there was any.
    ///
    /// # Errors
    /// When the database refuses. What goes wrong outside is kept with the delivery instead.
    pub async fn deliver_one(&self, now: DateTime<Utc>) -> Answer<bool> {
        let mut conn = self.pool.acquire().await?;
        let Some(taken) = outbox::take(&mut conn, now, now + LEASE).await? else { return Ok(false) };
        let Some(channel) = channels::get(&mut conn, taken.channel).await? else { return Ok(true) };
        // No connection is held while others are waited for.
        drop(conn);
        let ended = self.attempt(&taken, &channel, now).await;
        let mut conn = self.pool.acquire().await?;
        if outbox::end(&mut conn, &taken, now, &ended).await? {
            log(&taken, &channel, &ended);
        }
        Ok(true)
    }

    async fn attempt(&self, taken: &Taken, channel: &Channel, now: DateTime<Utc>) -> Ended {
        // Whoever tried before died each time; an old message that was never tried still goes out once.
        if taken.attempts > 1 && now - taken.created_at > GIVE_UP_AFTER + LEASE {
            let why = taken.last_error.clone();
            return Ended::GivenUp(if why.is_empty() {
                "no attempt ended within a day".to_owned()
            } else {
                why
            });
        }
        let Err(NotSent { why, then }) = self.send_within(taken, channel).await else {
            return Ended::Delivered;
        };
        let refusals = match then {
            Then::Later => 0,
            Then::AsRefused => taken.refusals + 1,
            Then::Nothing => return Ended::GivenUp(why),
        };
        match after_failure(taken.created_at, taken.attempts, refusals, now) {
            Next::Again(at) => Ended::Again { at, why, refusals },
            Next::GiveUp => Ended::GivenUp(why),
        }
    }

    async fn send_within(&self, taken: &Taken, channel: &Channel) -> Result<(), NotSent> {
        match tokio::time::timeout(ATTEMPT_WITHIN, self.send(taken, channel)).await {
            Ok(sent) => sent,
            Err(_) => Err(format!("no answer within {} s", ATTEMPT_WITHIN.as_secs()).into()),
        }
    }

    async fn send(&self, taken: &Taken, channel: &Channel) -> Result<(), NotSent> {
        let message =
            Message::new(taken.notification, taken.created_at, &taken.team, &taken.event, &self.public_url);
        if channel.kind == ChannelKind::Email {
            let mail =
                self.mail.as_ref().ok_or_else(|| "Muster has no mail server (MUSTER_SMTP_URL)".to_owned())?;
            return mail.send(&message, &channel.recipients).await;
        }
        let secrets = self.open(channel).await?;
        let client = self.client.as_ref().map_err(Clone::clone)?;
        http::post(client, self.allow_private, channel.kind, &secrets, &message, &taken.event).await
    }

    async fn open(&self, channel: &Channel) -> Result<muster_domain::notification::ChannelSecrets, String> {
        let opened = async {
            let mut conn =
                self.pool.acquire().await.map_err(|e| StoreError::database("open a channel", e))?;
            secrets::channels::get(&mut conn, &self.key, channel.id).await
        };
        opened.await.map_err(|e| {
            tracing::error!(cause = %chain(&e), channel.id = %channel.id, "could not open the address of channel `{}`", channel.name);
            "its sealed address does not open; enter it again".to_owned()
        })
    }
}

fn log(taken: &Taken, channel: &Channel, ended: &Ended) {
    let (id, name, kind) = (taken.notification, &channel.name, taken.event.kind().as_str());
    match ended {
        Ended::Delivered => {
            tracing::info!(message.id = %id, channel.id = %channel.id, "channel `{name}` was told: {kind}");
        }
        Ended::Again { at, why, refusals: _ } => {
            tracing::warn!(message.id = %id, channel.id = %channel.id, attempt = taken.attempts, "channel `{name}` was not told of {kind}, tried again at {at}: {why}");
        }
        Ended::GivenUp(why) => {
            tracing::error!(message.id = %id, channel.id = %channel.id, attempt = taken.attempts, "channel `{name}` is never told of {kind}: {why}");
        }
    }
}
