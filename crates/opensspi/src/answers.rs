//! Who answers what handshakes ask: the account directory about accounts, the database about passwords, the application
//! about the rest.

use std::sync::Arc;

use async_trait::async_trait;
use sspi_core::{
    CertificateIdentity, ClientCertificateRequest, DigestAccount, DigestLogon, Error, FoundAccount,
    LogonRequest, LogonVerdict, PeerIdentity, SessionKey,
};
use sspi_tokio::{Answers, NoAnswers, blocking};
use zeroize::Zeroizing;

/// Several who answer, each what it is for: of async streams (`dyn Answers`), or of blocking ones
/// (`dyn blocking::Answers`).
pub(crate) struct Parts<A: ?Sized> {
    /// Who knows the accounts behind certificates.
    pub(crate) accounts: Option<Arc<A>>,
    /// Who knows the passwords of accounts.
    pub(crate) logons: Option<Arc<A>>,
    /// Who is asked everything else, and what one of them is missing for.
    pub(crate) others: Option<Arc<A>>,
}

/// THE table: every question, who is asked it, and what the answer is. What nobody is there for is refused as by
/// [`NoAnswers`].
macro_rules! questions {
    ($($part:ident: $question:ident(&$about:ty) -> $answer:ty;)*) => {
        #[async_trait]
        impl Answers for Parts<dyn Answers> {
            $(async fn $question(&self, about: &$about) -> $answer {
                match self.$part.as_ref().or(self.others.as_ref()) {
                    Some(part) => part.$question(about).await,
                    None => Answers::$question(&NoAnswers, about).await,
                }
            })*
        }

        impl blocking::Answers for Parts<dyn blocking::Answers> {
            $(fn $question(&self, about: &$about) -> $answer {
                match self.$part.as_ref().or(self.others.as_ref()) {
                    Some(part) => part.$question(about),
                    None => blocking::Answers::$question(&NoAnswers, about),
                }
            })*
        }
    };
}

questions! {
    others: client_certificate(&ClientCertificateRequest) -> Result<Option<CertificateIdentity>, Error>;
    accounts: accounts(&PeerIdentity) -> Result<Vec<FoundAccount>, Error>;
    logons: logon(&LogonRequest) -> Result<LogonVerdict, Error>;
    logons: digest_secret(&DigestLogon) -> Result<Option<DigestAccount>, Error>;
    others: session(&SessionKey) -> Option<Zeroizing<Vec<u8>>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who answers with a name of its own.
    struct Named(&'static str);

    impl Named {
        fn account(&self) -> FoundAccount {
            sspi_core::Account { name: self.0.to_owned(), ..sspi_core::Account::default() }.into()
        }
    }

    #[async_trait]
    impl Answers for Named {
        async fn accounts(&self, _: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
            Ok(vec![self.account()])
        }

        async fn session(&self, _: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
            Some(Zeroizing::new(self.0.into()))
        }
    }

    impl blocking::Answers for Named {
        fn accounts(&self, _: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
            Ok(vec![self.account()])
        }
    }

    fn parts<A: ?Sized>(named: impl Fn(&'static str) -> Arc<A>) -> [Parts<A>; 3] {
        let application = || Some(named("the application"));
        [
            Parts { accounts: Some(named("the directory")), logons: None, others: application() },
            Parts { accounts: None, logons: Some(named("the database")), others: application() },
            Parts { accounts: None, logons: None, others: None },
        ]
    }

    fn name(found: Result<Vec<FoundAccount>, Error>) -> Option<String> {
        found.ok().map(|found| found[0].account.name.clone())
    }

    #[tokio::test]
    async fn each_question_goes_to_whom_it_is_for_and_to_the_application_where_nobody_else_is() {
        let peer = PeerIdentity::Name("alice".into());
        let expected = [Some("the directory"), Some("the application"), None];
        let streams = parts(|name| Arc::new(Named(name)) as Arc<dyn Answers>);
        let threads = parts(|name| Arc::new(Named(name)) as Arc<dyn blocking::Answers>);
        for ((stream, thread), expected) in streams.iter().zip(&threads).zip(expected) {
            assert_eq!(name(stream.accounts(&peer).await).as_deref(), expected);
            assert_eq!(name(blocking::Answers::accounts(thread, &peer)).as_deref(), expected);
        }
    }

    /// An application that has sessions keeps being asked for them when there are accounts, too.
    #[tokio::test]
    async fn a_session_is_asked_of_the_application() {
        let [with_accounts, _, nobody] = parts(|name| Arc::new(Named(name)) as Arc<dyn Answers>);
        let key = SessionKey(vec![1]);
        assert_eq!(with_accounts.session(&key).await.unwrap().as_slice(), b"the application");
        assert!(nobody.session(&key).await.is_none());
    }
}
