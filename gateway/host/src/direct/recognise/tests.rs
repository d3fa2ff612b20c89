//! Components that may take the direct lane, and those that only look so.
