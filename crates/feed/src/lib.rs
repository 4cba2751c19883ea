//! The feed and project files: as written, checked, and the document's shape
