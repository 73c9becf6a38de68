//! What is the matter with librdkafka: its last complaint, and beside it why no token could be fetched for it.

use std::sync::Mutex;

use crate::{connecting::pool::lock, error::KafkaErrorKind};

/// See the module. librdkafka tells once why it cannot connect, and afterwards only that time is up; that it was given no token it calls
/// a failed authentication, whatever was the matter with the token endpoint.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    complaint: Option<KafkaErrorKind>,
    /// Why the newest fetch of a token failed; none once one was fetched.
    no_token: Option<KafkaErrorKind>,
}

impl Trouble {
    /// A call begins: what was complained of before is not about it. That there is no new token still is, for it is not told again.
    pub(crate) fn forget_complaint(&self) {
        lock(&self.known).complaint = None;
    }

    /// librdkafka complains.
    pub(crate) fn complain(&self, kind: KafkaErrorKind) {
        let mut known = lock(&self.known);
        // "All brokers are down" follows every other error and says less.
        let vague = matches!(kind, KafkaErrorKind::Connection(_));
        if known.complaint.is_none() || !vague {
            known.complaint = Some(kind);
        }
    }

    /// No token could be fetched.
    pub(crate) fn has_no_token(&self, why: KafkaErrorKind) {
        lock(&self.known).no_token = Some(why);
    }

    /// A token was fetched: what was complained of while there was none is over.
    pub(crate) fn has_token(&self) {
        let mut known = lock(&self.known);
        if known.no_token.take().is_some() {
            known.complaint = None;
        }
    }

    /// What is the matter; none while nothing is known to be.
    pub(crate) fn told(&self) -> Option<KafkaErrorKind> {
        let known = lock(&self.known);
        match &known.complaint {
            Some(said) => Some(known.named(said.clone())),
            None => known.no_token.clone(),
        }
    }

    /// How a call failed, with why. A timeout says nothing; what librdkafka complained of before, or that there is no new token, does.
    pub(crate) fn explain(&self, kind: KafkaErrorKind) -> KafkaErrorKind {
        let known = lock(&self.known);
        let vague = matches!(kind, KafkaErrorKind::Timeout(_) | KafkaErrorKind::Connection(_));
        match (&known.complaint, &known.no_token) {
            (Some(said), None | Some(_)) if vague => known.named(said.clone()),
            // The token before may be good still, so the rest is told, too.
            (None, Some(why)) if vague => beside(why, &kind.to_string()),
            (None | Some(_), None | Some(_)) => known.named(kind),
        }
    }
}

impl Known {
    /// Of a failed authentication while no token can be fetched that is the cause: nobody is sent to look at credentials for it.
    fn named(&self, said: KafkaErrorKind) -> KafkaErrorKind {
        if let (KafkaErrorKind::Authentication(text), Some(why)) = (&said, &self.no_token) {
            return beside(why, text);
        }
        said
    }
}

/// Why there is no token, and what librdkafka says.
fn beside(why: &KafkaErrorKind, said: &str) -> KafkaErrorKind {
    let both = |text: &str| format!("{text}; librdkafka says: {said}");
    match why {
        KafkaErrorKind::Connection(text) => KafkaErrorKind::Connection(both(text)),
        KafkaErrorKind::Tls(text) => KafkaErrorKind::Tls(both(text)),
        KafkaErrorKind::Authentication(text) => KafkaErrorKind::Authentication(both(text)),
        // No fetch of a token fails so.
        KafkaErrorKind::NotKafka(_)
        | KafkaErrorKind::Timeout(_)
        | KafkaErrorKind::WrongCluster { .. }
        | KafkaErrorKind::UnknownCluster
        | KafkaErrorKind::Broker { .. }
        | KafkaErrorKind::Unsupported(_)
        | KafkaErrorKind::Protocol(_) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "Failed to acquire SASL OAUTHBEARER token";

    fn away() -> KafkaErrorKind {
        KafkaErrorKind::Connection("no token could be fetched from https://id.example: refused".to_owned())
    }

    fn refused() -> KafkaErrorKind {
        KafkaErrorKind::Authentication(REFUSED.to_owned())
    }

    fn both(said: &str) -> KafkaErrorKind {
        beside(&away(), said)
    }

    #[test]
    fn an_endpoint_that_is_away_is_told_in_place_of_a_failed_authentication() {
        let trouble = Trouble::default();
        trouble.complain(refused());
        assert_eq!(trouble.told(), Some(refused()), "there is a token, so it is the credentials");
        trouble.has_no_token(away());
        assert_eq!(trouble.told(), Some(both(REFUSED)));
        assert_eq!(trouble.explain(KafkaErrorKind::Timeout(9)), both(REFUSED));
        assert_eq!(trouble.explain(refused()), both(REFUSED));
        let said = both(REFUSED).to_string();
        assert!(
            said.ends_with(
                "https://id.example: refused; librdkafka says: Failed to acquire SASL OAUTHBEARER token"
            ),
            "{said}"
        );
    }

    /// librdkafka tells the same failure once only.
    #[test]
    fn that_there_is_no_token_is_known_to_every_call_until_there_is_one() {
        let trouble = Trouble::default();
        trouble.has_no_token(away());
        trouble.complain(refused());
        trouble.forget_complaint();
        assert_eq!(trouble.told(), Some(away()));
        assert_eq!(trouble.explain(KafkaErrorKind::Timeout(9)), both("no answer within 9 ms"));
        trouble.complain(refused());
        trouble.has_token();
        assert_eq!(trouble.told(), None, "what was said while there was none is over");
        assert_eq!(trouble.explain(KafkaErrorKind::Timeout(9)), KafkaErrorKind::Timeout(9));
    }

    #[test]
    fn what_has_another_cause_is_not_put_on_the_token() {
        let trouble = Trouble::default();
        trouble.has_no_token(away());
        let denied =
            KafkaErrorKind::Broker { code: 29, name: "TOPIC_AUTHORIZATION_FAILED".to_owned(), message: None };
        assert_eq!(trouble.explain(denied.clone()), denied);
        let untrusted = KafkaErrorKind::Tls("unknown authority".to_owned());
        trouble.complain(untrusted.clone());
        assert_eq!(trouble.told(), Some(untrusted.clone()));
        trouble.complain(KafkaErrorKind::Connection("all brokers are down".to_owned()));
        assert_eq!(
            trouble.explain(KafkaErrorKind::Timeout(9)),
            untrusted,
            "what says less does not replace it"
        );
    }
}
