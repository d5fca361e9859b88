//! C43 to C53: from what is typed to an account. C48 and C49 are in `delivery.rs`.

use super::*;

const BY_LOCALPART: &str = "storage_map email_localpart";

#[test]
fn c43_without_a_map_the_account_is_the_name() {
    let server = Server::f0("", "");
    server.login("user@example.org");
    assert_eq!(server.accounts(), "user@example.org\n");
}

const SHARED: &str = "storage_map static {\nentry user@example.org shared\n}";

#[test]
fn c44_a_table_names_the_account() {
    let server = Server::f0(SHARED, "");
    server.login("user@example.org");
    assert_eq!(server.accounts(), "shared\n");
}

#[test]
fn c45_names_are_normalised_before_the_lookup() {
    let server = Server::f0(SHARED, "");
    server.login("User@EXAMPLE.org");
    assert_eq!(server.accounts(), "shared\n");
}

#[test]
fn c46_two_addresses_share_an_account() {
    let server = Server::f0(BY_LOCALPART, "");
    server.login("user@example.org").ok("CREATE Common");
    let listed = server.login("user@example.com").ok("LIST \"\" Common");
    assert!(listed.contains("Common"), "{listed}");
    assert_eq!(server.accounts(), "user\n");
}

/// The provider knows no `user`, only addresses.
#[test]
fn c47_the_provider_gets_the_name_as_it_is() {
    let users = USERS.replace("entry user \"HASH\"\n", "");
    assert_ne!(users, USERS);
    let server = Home::new().start(&format!(
        "{STORAGE}{users}imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}{BY_LOCALPART}\n}}\n"
    ));
    server.login("user@example.org");
    server.client().no("LOGIN user 123");
    assert_eq!(server.accounts(), "user\n");
}

#[test]
fn c50_who_is_not_in_the_table_can_not_log_in() {
    let server = Server::f0(SHARED, "");
    server.client().no("LOGIN other@example.org 123");
    assert_eq!(server.accounts(), "");
}

#[test]
fn c51_normalisation_functions_are_seven() {
    let all = [
        "auto",
        "precis_casefold_email",
        "precis_casefold",
        "precis_email",
        "precis",
        "casefold",
        "noop",
    ];
    let home = Home::new();
    for directive in ["storage_map_normalize", "auth_map_normalize"] {
        let text = |function| {
            format!(
                "{STORAGE}{USERS}imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}{directive} {function}\n}}\n"
            )
        };
        for function in all {
            assert_eq!(home.complaint(&text(function)), None, "{function}");
        }
        let complaint = home.complaint(&text("lowercase")).unwrap();
        for function in all {
            assert!(complaint.contains(function), "{complaint}");
        }
    }
    // `auto`, unless something else is said: the domain is folded for the storage, too.
    let server = Server::f0("", "");
    server.login("USER@EXAMPLE.ORG");
    assert_eq!(server.accounts(), "user@example.org\n");
}

/// With a provider that tells upper from lower case.
#[test]
fn c52_the_nearest_auth_map_normalize_counts() {
    let auth = "auth plain_separate {\nuser static {\nentry user@example.org x\n}\npass dummy\n}";
    for (global, local, welcome) in [
        (
            "auth_map_normalize noop",
            "auth_map_normalize casefold",
            true,
        ),
        ("auth_map_normalize noop", "", false),
        ("", "", true),
    ] {
        let server = Home::new().start(&format!(
            "{global}\n{STORAGE}imap tcp://127.0.0.1:0 {{\ntls off\n{local}\n{auth}\n\
             storage &local_mailboxes\n}}\n"
        ));
        let answer = server.client().say("LOGIN USER@example.org x");
        assert_eq!(
            answer.tagged.starts_with("OK"),
            welcome,
            "{global}, {local}"
        );
        assert_eq!(
            answer.tagged.starts_with("NO"),
            !welcome,
            "{}",
            answer.tagged
        );
    }
}

#[test]
fn c53_auth_map_translates_for_the_provider() {
    let server = Server::f0("auth_map identity", "");
    server.login("user@example.org");
    server.client().no("LOGIN user@anything.org 123");

    let server = Server::f0("auth_map email_localpart", "");
    server.login("user@anything.org");
    assert_eq!(server.accounts(), "user@anything.org\n");

    let server = Home::new().start(&format!(
        "auth_map email_localpart\n{STORAGE}{USERS}\
         imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}}}\n"
    ));
    server.login("user@anything.org");
}
