//! Whose credentials a list is asked with, and one login for all lists that share them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_auth::{Authenticator, NoAuth, OriginBound};
use longshore_transport::{Client, Origin};

use crate::config::AuthSettings;
use crate::error::{Error, ErrorKind};

/// The credentials of a list where they are not the connection's.
#[derive(Clone)]
#[non_exhaustive]
pub enum ListAuth {
    /// As configured. Lists with clones of one `Arc` share one login.
    Settings(Arc<AuthSettings>),
    /// By code.
    Authenticator(Arc<dyn Authenticator>),
}

impl ListAuth {
    /// No credentials at all.
    pub fn none() -> ListAuth {
        ListAuth::Authenticator(Arc::new(NoAuth))
    }

    /// Equal for credentials that are the same.
    pub(crate) fn identity(&self) -> String {
        match self {
            ListAuth::Settings(settings) if matches!(**settings, AuthSettings::None) => {
                "none".to_owned()
            }
            ListAuth::Settings(settings) => format!("{:p}", Arc::as_ptr(settings)),
            ListAuth::Authenticator(authenticator) => format!("{:p}", Arc::as_ptr(authenticator)),
        }
    }
}

impl<A: Authenticator> From<A> for ListAuth {
    fn from(authenticator: A) -> ListAuth {
        ListAuth::Authenticator(Arc::new(authenticator))
    }
}

impl fmt::Debug for ListAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListAuth::Settings(settings) => settings.fmt(f),
            ListAuth::Authenticator(authenticator) => authenticator.fmt(f),
        }
    }
}

/// The logins of an engine, each bound to the origins that may get credentials.
pub(crate) struct Logins {
    client: Client,
    origin: Origin,
    credential_origins: Vec<Origin>,
    /// The connection's.
    own: Arc<OriginBound>,
    /// Of lists with settings of their own, made when first needed. They are kept by their address, which is theirs as long as they are
    /// kept.
    others: Mutex<HashMap<String, (ListAuth, Arc<OriginBound>)>>,
}

impl Logins {
    pub(crate) fn new(
        connection: &ListAuth,
        client: Client,
        origin: Origin,
        credential_origins: Vec<Origin>,
    ) -> Result<Logins, Error> {
        let bind = |authenticator| {
            OriginBound::new(authenticator, origin.clone()).and_origins(credential_origins.clone())
        };
        Ok(Logins {
            own: Arc::new(bind(authenticator(connection, &client)?)),
            others: Mutex::default(),
            client,
            origin,
            credential_origins,
        })
    }

    /// What puts credentials on the requests of a list.
    pub(crate) fn of(&self, list: Option<&ListAuth>) -> Result<Arc<OriginBound>, Error> {
        let Some(auth) = list else {
            return Ok(self.own.clone());
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = auth.identity();
        if let Some((_, bound)) = others.get(&identity) {
            return Ok(bound.clone());
        }
        let bound = OriginBound::new(authenticator(auth, &self.client)?, self.origin.clone())
            .and_origins(self.credential_origins.clone());
        let bound = Arc::new(bound);
        others.insert(identity, (auth.clone(), bound.clone()));
        Ok(bound)
    }

    /// Waits until no login is under way that must not be lost.
    pub(crate) async fn settled(&self) {
        let others: Vec<Arc<OriginBound>> = {
            let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.values().map(|(_, bound)| bound.clone()).collect()
        };
        for bound in others.iter().chain([&self.own]) {
            bound.settled().await;
        }
    }

    /// Origins beside the base URL's that get credentials.
    pub(crate) fn credential_origins(&self) -> &[Origin] {
        &self.credential_origins
    }
}

fn authenticator(auth: &ListAuth, client: &Client) -> Result<Arc<dyn Authenticator>, Error> {
    match auth {
        ListAuth::Authenticator(authenticator) => Ok(authenticator.clone()),
        ListAuth::Settings(settings) => settings.authenticator(client).map_err(|error| {
            Error::new(ErrorKind::Config, "the credentials cannot be used").with_source(error)
        }),
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins")
            .field("own", &self.own)
            .field("credential_origins", &self.credential_origins)
            .finish_non_exhaustive()
    }
}
