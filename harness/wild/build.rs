//! Tells the code whether AddressSanitizer is built in: it brings fault handlers and system calls of its own.
fn main() {
    println!("cargo::rustc-check-cfg=cfg(memtwin_address_sanitizer)");
    let sanitizers = std::env::var("CARGO_CFG_SANITIZE").unwrap_or_default();
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if sanitizers.contains("address") || flags.contains("sanitizer=address") {
        println!("cargo::rustc-cfg=memtwin_address_sanitizer");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
