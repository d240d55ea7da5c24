//! Authenticators: put credentials on a request and renew them without stampedes.
