//! S3 that is broken, closed or not there.

use std::io::ErrorKind;
use std::time::Duration;

use hivecast_run::Class;
use hivecast_storage::{Existing, Location, S3Settings, Settings, Stores, Timeouts};

use crate::servers::{cutting_proxy, dead_address, silent_server};
use crate::support::{Place, noise, s3_root, s3_settings, timed, variable};

const IMPATIENT: Timeouts = Timeouts { connect: Duration::from_secs(1), call: Duration::from_secs(4) };
/// What a call that is given up may take in a test, on a busy machine.
const SOON: Duration = Duration::from_secs(25);

fn at_endpoint(address: &str) -> Place {
    let s3 = S3Settings { endpoint: Some(format!("http://{address}")), ..s3_settings() };
    Place::at(&s3_root(), Settings { s3, s3_timeouts: IMPATIENT, ..Settings::default() })
}

#[test]
fn a_wrong_key_is_denied_and_not_repeated() {
    let wrong = [
        S3Settings { secret_access_key: Some("wr0ng-secret".to_owned()), ..s3_settings() },
        S3Settings { access_key_id: Some("AKIAWRONG".to_owned()), ..s3_settings() },
    ];
    for s3 in wrong {
        let settings = Settings { s3, ..Settings::default() };
        assert!(!format!("{settings:?}").contains("wr0ng-secret"));
        let place = Place::at(&s3_root(), settings);
        assert!(!format!("{:?}", place.storage).contains("wr0ng-secret"));
        let at = place.root.join("file");
        let denied = [
            place.storage.list(&place.root).unwrap_err(),
            place.storage.stat(&at).unwrap_err(),
            place.storage.put(&place.file(b"x"), &at, Existing::Refuse).unwrap_err(),
            place.storage.put(&place.file(&noise(17 << 20, 1)), &at, Existing::Replace).unwrap_err(),
            place.storage.remove(&at).unwrap_err(),
        ];
        for error in denied {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            let text = error.to_string();
            assert!(
                text.contains(&place.root.to_string()) && text.contains(&variable("HIVECAST_TEST_S3")),
                "{text}"
            );
            assert!(!text.contains("wr0ng-secret"), "{text}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_or_never_answers() {
    let dead = dead_address();
    let place = at_endpoint(&dead);
    let (took, listed) = timed(|| place.storage.list(&place.root));
    let error = listed.unwrap_err();
    println!("dead: {took:?}: {error}");
    assert!(took < SOON, "{took:?}");
    assert!(error.to_string().contains(&dead), "{error}");
    assert!(!matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied), "{error}");

    let (_listener, silent) = silent_server();
    let place = at_endpoint(&silent);
    let (took, listed) = timed(|| place.storage.list(&place.root));
    let error = listed.unwrap_err();
    println!("silent: {took:?}: {error}");
    assert!(took < SOON, "{took:?}");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains(&silent), "{error}");
}

#[test]
fn a_put_that_is_cut_off_leaves_nothing() {
    let server = variable("HIVECAST_TEST_S3").replace("http://", "");
    let place = at_endpoint(&cutting_proxy(&server, 1 << 20));
    let direct = Place::at(&place.root.to_string(), Settings { s3: s3_settings(), ..Settings::default() });
    direct.put("dir/there", b"x");
    for (length, existing) in
        [(6 << 20, Existing::Refuse), (6 << 20, Existing::Replace), (40 << 20, Existing::Replace)]
    {
        let at = place.root.join("dir/file");
        let put = place.storage.put(&place.file(&noise(length, 1)), &at, existing);
        let error = put.unwrap_err();
        println!("{error}");
        assert!(error.to_string().contains(&at.to_string()), "{error}");
        assert_eq!(direct.names("dir"), ["there"]);
    }
}

#[test]
fn a_bucket_that_is_not_there_and_settings_that_do_not_fit() {
    let place = Place::at("s3://no-such-bucket/x", Settings { s3: s3_settings(), ..Settings::default() });
    let error = place.storage.list(&place.root).unwrap_err();
    // A mistake in the project file, which no time mends: what may still come is `NotFound`.
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("no-such-bucket"), "{error}");

    let location = Location::parse("s3://bucket/x").unwrap();
    for s3 in [
        S3Settings { endpoint: Some("user:passw0rd@host:9000".to_owned()), ..s3_settings() },
        S3Settings { secret_access_key: None, ..s3_settings() },
    ] {
        let fault = Stores::new(Settings { s3, ..Settings::default() }).of(&location).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(!fault.chain().contains("passw0rd"), "{}", fault.chain());
    }
}
