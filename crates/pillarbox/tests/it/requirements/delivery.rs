//! C6, C7, C48, C49: mail that comes by LMTP, and accounts.

use super::*;

const MESSAGE: &str = "From: a@example.net\r\nSubject: Hello\r\n\r\nHello.\r\n";
const BY_LOCALPART: &str = "storage_map email_localpart";
const LMTP: &str = "lmtp unix://lmtp.sock {\ndeliver_to &local_mailboxes\n}\n";

/// The fixture of the requirements, with the endpoint that mail comes to.
fn server(imap: &str, storage: &str) -> Server {
    Server::f0_and(imap, storage, LMTP)
}

/// Somebody who brings mail.
struct Sender(Client);

impl Sender {
    fn new(server: &Server) -> Self {
        server.logged("listening on unix://");
        let socket = server.home.path("run/lmtp.sock");
        let stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let client = Client::greeted(Box::new(stream));
        assert!(client.greeting.starts_with("220 "), "{}", client.greeting);
        let mut sender = Self(client);
        assert!(sender.reply("LHLO mta.example.org").starts_with("250"));
        sender
    }

    /// The last line of a reply of LMTP.
    #[track_caller]
    fn reply(&mut self, command: &str) -> String {
        self.0.send(format!("{command}\r\n").as_bytes());
        loop {
            let line = self.0.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    /// Brings a message to a recipient, and gives what is said of them.
    #[track_caller]
    fn deliver(&mut self, recipient: &str, text: &str) -> String {
        assert!(
            self.reply("MAIL FROM:<sender@example.net>")
                .starts_with("250")
        );
        let said = self.reply(&format!("RCPT TO:<{recipient}>"));
        if said.starts_with('2') {
            assert!(self.reply("DATA").starts_with("354"));
            return self.reply(&format!("{text}\r\n."));
        }
        assert!(self.reply("RSET").starts_with("250"));
        said
    }
}

#[test]
fn c06_c07_mail_reaches_accounts_and_makes_none() {
    let server = server("", "");
    let mut lmtp = Sender::new(&server);
    let refused = lmtp.deliver("user@example.org", MESSAGE);
    assert!(
        refused.starts_with('5') && refused.contains(" 5.1.1 "),
        "{refused}"
    );
    assert_eq!(server.accounts(), "");

    let mut client = server.login("user@example.org");
    assert!(client.ok("SELECT INBOX").contains("* 0 EXISTS\n"));
    let taken = lmtp.deliver("user@example.org", MESSAGE);
    assert!(taken.starts_with("250 "), "{taken}");
    assert!(client.ok("NOOP").contains("* 1 EXISTS\n"));
}

#[test]
fn c48_delivery_knows_nothing_of_storage_map() {
    let server = server(BY_LOCALPART, "");
    server.login("user@example.org");
    let mut lmtp = Sender::new(&server);
    let refused = lmtp.deliver("user@example.org", MESSAGE);
    assert!(refused.contains(" 5.1.1 "), "{refused}");
    let made = server
        .home
        .run(&["imap-acct", "create", "user@example.org"]);
    assert!(made.status.success(), "{made:?}");
    let taken = lmtp.deliver("user@example.org", MESSAGE);
    assert!(taken.starts_with("250 "), "{taken}");
    let inbox = server.login("user@example.org").ok("SELECT INBOX");
    assert!(
        inbox.contains("* 0 EXISTS\n"),
        "it went to the other account: {inbox}"
    );
}

#[test]
fn c49_delivery_has_a_map_of_its_own() {
    let map = "delivery_map email_localpart # deliver \"user@*\" to mailbox for \"user\"";
    let server = server("", map);
    let mut client = server.login("user");
    let mut lmtp = Sender::new(&server);
    for address in ["user@example.org", "user@example.com"] {
        let taken = lmtp.deliver(address, MESSAGE);
        assert!(taken.starts_with("250 "), "{address}: {taken}");
    }
    assert!(client.ok("SELECT INBOX").contains("* 2 EXISTS\n"));
    assert_eq!(server.accounts(), "user\n");
}

/// Several domains, and people who have the same name in all of them: one password, one account,
/// one INBOX, by IMAP and by LMTP.
#[test]
fn several_domains_have_the_same_users() {
    let users = "auth.pass_table local_authdb {\ntable static {\nentry user \"HASH\"\n}\n}\n";
    let server = Home::new().start(&format!(
        "auth_map email_localpart\n{}{users}\
         imap tcp://127.0.0.1:0 {{\ntls off\n{NEEDED}{BY_LOCALPART}\n}}\n\
         lmtp unix://lmtp.sock {{\ndeliver_to &local_mailboxes\n}}\n",
        STORAGE.replace("imapsql.db", "imapsql.db\ndelivery_map email_localpart")
    ));
    let mut lmtp = Sender::new(&server);
    assert!(
        lmtp.deliver("user@example.org", MESSAGE)
            .contains(" 5.1.1 ")
    );
    let mut first = server.login("user@example.org");
    let mut second = server.login("user@example.com");
    assert_eq!(server.accounts(), "user\n");
    first.ok("CREATE Common");
    second.ok("SELECT INBOX");
    second.append("Common", MESSAGE);
    for address in ["user@example.org", "User@Example.COM"] {
        let taken = lmtp.deliver(address, MESSAGE);
        assert!(taken.starts_with("250 "), "{address}: {taken}");
    }
    assert!(second.ok("NOOP").contains("* 2 EXISTS\n"));
    assert!(first.ok("SELECT Common").contains("* 1 EXISTS\n"));
    server.client().no("LOGIN user@example.org 1234");
    server.client().no("LOGIN other@example.org 123");
    assert_eq!(server.accounts(), "user\n");
}

/// All endpoints can have proxies: who may bring mail there is said in the header, and who is not
/// believed is greeted all the same.
#[test]
fn mail_may_come_through_a_proxy() {
    let lmtp = LMTP.replace(
        "unix://lmtp.sock {",
        "tcp://127.0.0.2:0 {\nproxy_protocol 127.0.0.1",
    );
    let lmtp = lmtp.replace("\n}", "\nmax_connections_per_ip 1\n}");
    let server = Server::f0_and("", "", &lmtp);
    let connect = |port: u16| {
        let mut stream = tcp(server.address(1));
        let header = format!("PROXY TCP4 192.0.2.{port} 127.0.0.2 5000 24\r\n");
        stream.write_all(header.as_bytes()).unwrap();
        Client::greeted(Box::new(stream))
    };
    server.login("user@example.org");
    let (first, refused, second) = (connect(7), connect(7), connect(8));
    assert!(first.greeting.starts_with("220 "), "{}", first.greeting);
    assert!(refused.greeting.starts_with("421 "), "{}", refused.greeting);
    let mut sender = Sender(second);
    assert!(sender.reply("LHLO mta.example.org").starts_with("250"));
    let taken = sender.deliver("user@example.org", MESSAGE);
    assert!(taken.starts_with("250 "), "{taken}");
    server.logged("too many connections\t{\"limit\":\"address\",\"src_ip\":\"192.0.2.7:5000\"}");
}
