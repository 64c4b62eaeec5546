//! Claims about images in real directories.
