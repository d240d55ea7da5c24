//! Path templates and parameters: parent records into child requests.
