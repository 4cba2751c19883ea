//! Functions of C that glibc offers under a newer version only, so that the binary starts on systems
//! whose glibc is 2.34.
//!
//! Since glibc 2.35 `hypot` no longer sets `errno`, and is therefore another symbol. A binary linked
//! there wants that one, and does not start on an older system; DataFusion's numbers link it. With these
//! definitions the linker asks no library for it. They are also the same on every system, as the bytes
//! of an edition have to be.

#![allow(unsafe_code, reason = "defines symbols of C, by their names")]

/// The length of the hypotenuse.
#[unsafe(no_mangle)]
extern "C" fn hypot(x: f64, y: f64) -> f64 {
    libm::hypot(x, y)
}

/// The length of the hypotenuse, in single precision.
#[unsafe(no_mangle)]
extern "C" fn hypotf(x: f32, y: f32) -> f32 {
    libm::hypotf(x, y)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standard_library_calls_these() {
        assert_eq!(3.0_f64.hypot(4.0), 5.0);
        assert_eq!(3.0_f32.hypot(4.0), 5.0);
        assert_eq!(1e300_f64.hypot(1e300), 1e300 * std::f64::consts::SQRT_2, "no overflow on the way");
    }
}
