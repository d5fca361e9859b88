//! Passwords and users in tables.

use super::super::credentials::Making;
use super::super::hash::Hash;
use super::*;
use crate::testing::{now, parts, refused, secret};

/// `123` by bcrypt, at its lowest cost.
fn hash() -> String {
    Hash::Bcrypt { cost: 4 }.create(&secret("123")).unwrap()
}

fn pass_table(table: &str) -> Arc<PassTable> {
    let text = format!("auth.pass_table x {{\n table {table}\n}}");
    parts(&text, "x").credentials.unwrap()
}

fn denied(outcome: Result<(), Denied>) -> String {
    match outcome {
        Err(Denied::Credentials(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_opens_in_any_case_of_the_name() {
    let provider = pass_table(&format!(
        "static {{ \n entry user@example.org {:?}\n}}",
        hash()
    ));
    let login = |user: &str, password: &str| now(provider.authenticate(user, &secret(password)));
    login("user@example.org", "123").unwrap();
    login("User@EXAMPLE.org", "123").unwrap();
    assert_eq!(denied(login("user@example.org", "124")), "wrong password");
    assert_eq!(denied(login("user@example.org", "")), "wrong password");
    assert_eq!(denied(login("other@example.org", "123")), "unknown user");
    assert_eq!(denied(login("a b", "123")), "unknown user");
    assert_eq!(denied(login("", "123")), "unknown user");
}

#[test]
fn damaged_entries_let_nobody_in() {
    let provider = pass_table("static {\n entry a 123\n entry b md5:123\n entry c argon2:1\n}");
    let login = |user: &str| denied(now(provider.authenticate(user, &secret("123"))));
    assert_eq!(login("a"), "no hash tag");
    assert_eq!(login("b"), "unknown hash: md5");
    assert_eq!(login("c"), "argon2: not five fields");
}

/// The stand-in is of the kind and cost of the hashes that are in use.
#[test]
fn unknown_users_cost_what_known_ones_do() {
    let provider = pass_table(&format!("static {{\n entry a {:?}\n}}", hash()));
    assert_eq!(provider.stand_in(), Stored::default());
    let _ = now(provider.authenticate("a", &secret("x")));
    assert_eq!(
        provider.stand_in(),
        Stored::parse(&hash_of(&provider)).unwrap()
    );
    assert_eq!(
        denied(now(provider.authenticate("b", &secret("123")))),
        "unknown user",
        "not even with the password of the stand-in"
    );
}

fn hash_of(provider: &PassTable) -> String {
    now(Table::lookup(provider, "a")).unwrap().unwrap()
}

#[test]
fn the_command_line_manages_users() {
    let provider = pass_table("sql_table {\n driver sqlite3\n dsn :memory:\n table_name t\n}");
    let cheap = || Making::hash_only(Hash::Bcrypt { cost: 4 });
    assert_eq!(
        now(provider.create("Ann", secret("1"), cheap())).unwrap(),
        "ann"
    );
    assert!(now(provider.create("ann", secret("2"), cheap())).is_err());
    assert!(now(provider.change("bob", secret("2"), cheap())).is_err());
    now(provider.change("ann", secret("2"), cheap())).unwrap();
    assert_eq!(now(provider.users()).unwrap(), ["ann"]);
    now(provider.authenticate("ann", &secret("2"))).unwrap();
    assert!(now(provider.remove("ANN")).unwrap());
    assert!(!now(provider.remove("ann")).unwrap());
    let fixed = pass_table("static {\n entry a b\n}");
    assert!(now(fixed.users()).is_err());
}

#[test]
fn the_table_may_be_written_in_place() {
    let text = "auth.plain_separate x {\n pass pass_table static {\n entry a b\n }\n}";
    assert!(parts(text, "x").provider.is_some());
    assert!(refused("auth.pass_table x", "x").contains("missing required directive: table"));
}

const SQL: &str = "sql_table {\n driver sqlite3\n dsn :memory:\n table_name t\n}";

/// With keys, and cheap to make.
fn making() -> Making {
    Making {
        hash: Hash::Bcrypt { cost: 4 },
        ..Making::default()
    }
}

#[test]
fn a_user_has_a_password_for_each_device() {
    let provider = pass_table(SQL);
    let opens = |password: &str| now(provider.authenticate("ann", &secret(password))).is_ok();
    now(provider.create("ann", secret("main"), making())).unwrap();
    now(provider.add("ann", "phone", secret("p"), making())).unwrap();
    assert!(now(provider.add("ann", "phone", secret("q"), making())).is_err());
    assert!(now(provider.add("bob", "phone", secret("q"), making())).is_err());
    assert!(opens("main") && opens("p") && !opens("q"));
    now(provider.change("ann", secret("new"), making())).unwrap();
    assert!(!opens("main") && opens("new") && opens("p"));
    assert!(now(provider.revoke("ann", "tablet")).is_err());
    now(provider.revoke("ann", "phone")).unwrap();
    assert!(opens("new") && !opens("p"));
    assert!(
        now(provider.revoke("ann", "")).is_err(),
        "the last one stays"
    );
    assert!(opens("new"));
}

/// What was found out about a password before it changed must not be used any more.
#[test]
fn every_change_is_a_new_generation() {
    let provider = pass_table(SQL);
    let mut last = provider.generation();
    let mut changed =
        || std::mem::replace(&mut last, provider.generation()) != provider.generation();
    now(provider.create("ann", secret("main"), making())).unwrap();
    assert!(changed());
    now(provider.add("ann", "phone", secret("p"), making())).unwrap();
    assert!(changed());
    now(provider.change("ann", secret("new"), making())).unwrap();
    assert!(changed());
    now(provider.revoke("ann", "phone")).unwrap();
    assert!(changed());
    now(provider.authenticate("ann", &secret("new"))).unwrap();
    assert!(!changed());
    now(provider.remove("ann")).unwrap();
    assert!(changed());
}

#[test]
fn the_time_of_the_last_use_is_kept_beside_the_credentials() {
    let provider = pass_table(SQL);
    now(provider.create("ann", secret("main"), making())).unwrap();
    now(provider.add("ann", "phone", secret("p"), making())).unwrap();
    let before = hash_of_user(&provider, "ann");
    now(provider.last_use.write("ann", "phone", 1_700_000_000)).unwrap();
    assert_eq!(hash_of_user(&provider, "ann"), before);
    let described = now(provider.describe("Ann")).unwrap();
    assert_eq!(described[0].used, None);
    assert_eq!(described[1].used, Some(1_700_000_000));
    assert!(described[1].created.is_some());
    assert_eq!(now(provider.users()).unwrap(), ["ann"], "it is no user");
    let key = "last-use ann";
    assert_eq!(
        denied(now(provider.authenticate(key, &secret("x")))),
        "unknown user"
    );
    now(provider.remove("ann")).unwrap();
    assert_eq!(now(provider.table().lookup(key)).unwrap(), None);
}

fn hash_of_user(provider: &PassTable, user: &str) -> String {
    now(Table::lookup(provider, user)).unwrap().unwrap()
}

/// Who comes with keys can use them; who came with a hash alone could not log in any more if SCRAM
/// was offered.
#[test]
fn scram_is_offered_if_all_users_have_keys() {
    let provider = pass_table(SQL);
    now(provider.look());
    let offers = |sha_256, sha_1| Offers {
        scram_sha_256: sha_256,
        scram_sha_1: sha_1,
        ..Offers::PASSWORDS
    };
    assert_eq!(
        provider.offers(),
        offers(true, false),
        "nobody is in the way"
    );
    now(provider.create("ann", secret("x"), making())).unwrap();
    assert_eq!(provider.offers(), offers(true, false));
    now(provider.create(
        "bob",
        secret("x"),
        Making::hash_only(Hash::Bcrypt { cost: 4 }),
    ))
    .unwrap();
    assert_eq!(provider.offers(), offers(false, false));
    let both = Making {
        scram: vec![ScramHash::Sha256, ScramHash::Sha1],
        ..making()
    };
    now(provider.change("bob", secret("x"), both.clone())).unwrap();
    assert_eq!(provider.offers(), offers(true, false));
    now(provider.change("ann", secret("x"), both)).unwrap();
    assert_eq!(provider.offers(), offers(true, true));
    let keys = now(provider.scram_keys("Ann", ScramHash::Sha1)).unwrap();
    assert!(keys.len() == 1 && keys[0].1.verify(b"x"));
    assert!(
        now(provider.scram_keys("eve", ScramHash::Sha1))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_is_offered_can_be_said() {
    let offers = |scram: &str| {
        let text = format!("auth.pass_table x {{\n table static {{\n entry a b\n }}\n {scram}\n}}");
        let offers = parts(&text, "x").credentials.unwrap().offers();
        (offers.scram_sha_256, offers.scram_sha_1)
    };
    assert_eq!(offers(""), (false, false), "a table that can't be listed");
    assert_eq!(offers("scram off"), (false, false));
    assert_eq!(offers("scram sha-256"), (true, false));
    assert_eq!(offers("scram sha-1 sha-256"), (true, true));
    let text = "auth.pass_table x {\n table static {\n entry a b\n }\n scram sha-512\n}";
    assert!(refused(text, "x").contains("there is no SCRAM mechanism of sha-512"));
}

/// A wrong password costs as many slow checks as the account with the most of them has.
#[test]
fn all_wrong_passwords_cost_the_same() {
    let provider = pass_table(SQL);
    now(provider.create("ann", secret("x"), making())).unwrap();
    now(provider.add("ann", "a", secret("y"), making())).unwrap();
    now(provider.add("ann", "b", secret("z"), making())).unwrap();
    assert_eq!(provider.slowest(), 1);
    let _ = now(provider.authenticate("ann", &secret("wrong")));
    assert_eq!(provider.slowest(), 3, "also for those who are not there");
}
