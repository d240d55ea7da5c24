//! Paginators without I/O: from a request and its answer to the next request, or to a reason to stop.
