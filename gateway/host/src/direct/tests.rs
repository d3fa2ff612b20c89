//! Main modules that lie about what they hold.
