//! What the server says to people, in all languages: one row a text, found by the English one.
//!
//! `{}` stands for what differs from time to time. Whoever adds a text adds a row; a test finds what was
//! forgotten.

use super::language::Phrase;

const fn say(english: &'static str, french: &'static str, german: &'static str) -> Phrase {
    Phrase {
        english,
        french,
        german,
    }
}

/// All of them, by what they are about.
pub(super) const PHRASES: &[Phrase] = &[
    // How commands ended.
    say("Logged in", "Connexion établie", "Angemeldet"),
    say(
        "Now speaking this language",
        "Désormais dans cette langue",
        "Von nun an in dieser Sprache",
    ),
    say("{} completed", "{} terminé", "{} ausgeführt"),
    // Goodbyes.
    say("Goodbye", "Au revoir", "Auf Wiedersehen"),
    say(
        "Nothing heard for too long",
        "Silence trop long",
        "Zu lange nichts gehört",
    ),
    say(
        "The selected mailbox was deleted",
        "La boîte sélectionnée a été supprimée",
        "Das geöffnete Postfach wurde gelöscht",
    ),
    say(
        "The server is shutting down",
        "Le serveur s'arrête",
        "Der Server wird beendet",
    ),
    say(
        "Too many bad commands",
        "Trop de commandes erronées",
        "Zu viele fehlerhafte Befehle",
    ),
    // Logging in.
    say(
        "Invalid user name or password",
        "Nom d'utilisateur ou mot de passe incorrect",
        "Benutzername oder Passwort ist falsch",
    ),
    say(
        "Can't check passwords just now, try again later",
        "Impossible de vérifier les mots de passe pour le moment, réessayez plus tard",
        "Passwörter können gerade nicht geprüft werden, bitte später erneut versuchen",
    ),
    say(
        "Use TLS first: passwords are not taken in clear",
        "Activez d'abord TLS : les mots de passe en clair sont refusés",
        "Zuerst TLS einschalten: Passwörter werden nicht unverschlüsselt angenommen",
    ),
    say(
        "Unsupported authentication mechanism",
        "Mécanisme d'authentification non pris en charge",
        "Dieses Anmeldeverfahren wird nicht unterstützt",
    ),
    say(
        "Too many connections of this user",
        "Trop de connexions de cet utilisateur",
        "Zu viele Verbindungen dieses Benutzers",
    ),
    say("Already logged in", "Déjà connecté", "Bereits angemeldet"),
    say("Log in first", "Connectez-vous d'abord", "Zuerst anmelden"),
    say(
        "Not legal before login",
        "Interdit avant la connexion",
        "Vor der Anmeldung nicht erlaubt",
    ),
    say(
        "TLS is already in use",
        "TLS est déjà actif",
        "TLS ist bereits eingeschaltet",
    ),
    say(
        "TLS is not available here",
        "TLS n'est pas disponible ici",
        "TLS gibt es hier nicht",
    ),
    // Mailboxes.
    say(
        "No such mailbox",
        "Cette boîte n'existe pas",
        "Dieses Postfach gibt es nicht",
    ),
    say(
        "A mailbox of that name exists already",
        "Une boîte de ce nom existe déjà",
        "Ein Postfach dieses Namens gibt es bereits",
    ),
    say(
        "There are mailboxes below that name",
        "Il y a des boîtes sous ce nom",
        "Unter diesem Namen liegen Postfächer",
    ),
    say(
        "INBOX can't be deleted",
        "INBOX ne peut pas être supprimée",
        "INBOX kann nicht gelöscht werden",
    ),
    say(
        "A mailbox can't move below itself",
        "Une boîte ne peut pas être placée sous elle-même",
        "Ein Postfach kann nicht unter sich selbst verschoben werden",
    ),
    say(
        "A mailbox can't move to another account",
        "Une boîte ne peut pas passer à un autre compte",
        "Ein Postfach kann nicht in ein anderes Konto verschoben werden",
    ),
    say(
        "Another mailbox has that special use",
        "Une autre boîte a déjà cet usage particulier",
        "Ein anderes Postfach hat diese besondere Aufgabe bereits",
    ),
    say(
        "That special use can't be given",
        "Cet usage particulier ne peut pas être attribué",
        "Diese besondere Aufgabe kann nicht vergeben werden",
    ),
    say(
        "The account has as many mailboxes as it may",
        "Le compte a déjà autant de boîtes que permis",
        "Das Konto hat bereits so viele Postfächer wie erlaubt",
    ),
    say(
        "The mailbox has as many keywords as it may",
        "La boîte a déjà autant de mots-clés que permis",
        "Das Postfach hat bereits so viele Schlagwörter wie erlaubt",
    ),
    say(
        "The mailbox has used up its UIDs: make a new one",
        "La boîte a épuisé ses UID : créez-en une nouvelle",
        "Das Postfach hat seine UIDs aufgebraucht: bitte ein neues anlegen",
    ),
    say(
        "The mailbox is open read-only",
        "La boîte est ouverte en lecture seule",
        "Das Postfach ist nur zum Lesen geöffnet",
    ),
    say(
        "The mailbox is damaged",
        "La boîte est endommagée",
        "Das Postfach ist beschädigt",
    ),
    say("Permission denied", "Accès refusé", "Keine Berechtigung"),
    say(
        "the mailbox name is empty",
        "le nom de la boîte est vide",
        "der Name des Postfachs ist leer",
    ),
    say(
        "the mailbox name has an empty level of hierarchy",
        "le nom de la boîte a un niveau vide",
        "der Name des Postfachs hat eine leere Ebene",
    ),
    say(
        "the mailbox name is too long or too deep",
        "le nom de la boîte est trop long ou a trop de niveaux",
        "der Name des Postfachs ist zu lang oder hat zu viele Ebenen",
    ),
    say(
        "the mailbox name has a character that is not allowed",
        "le nom de la boîte contient un caractère interdit",
        "der Name des Postfachs enthält ein Zeichen, das nicht erlaubt ist",
    ),
    say(
        "the mailbox name is not ASCII",
        "le nom de la boîte n'est pas en ASCII",
        "der Name des Postfachs ist nicht ASCII",
    ),
    say(
        "the mailbox name is not modified UTF-7",
        "le nom de la boîte n'est pas en UTF-7 modifié",
        "der Name des Postfachs ist kein modifiziertes UTF-7",
    ),
    say(
        "the mailbox name is not UTF-8",
        "le nom de la boîte n'est pas en UTF-8",
        "der Name des Postfachs ist kein UTF-8",
    ),
    say(
        "Select a mailbox first",
        "Sélectionnez d'abord une boîte",
        "Zuerst ein Postfach öffnen",
    ),
    say(
        "No mailbox is selected",
        "Aucune boîte n'est sélectionnée",
        "Es ist kein Postfach geöffnet",
    ),
    say(
        "Nothing is selected",
        "Rien n'est sélectionné",
        "Es ist nichts geöffnet",
    ),
    say("Other Users", "Autres utilisateurs", "Andere Benutzer"),
    say("Shared", "Partagé", "Gemeinsam"),
    // Messages.
    say(
        "The message is larger than the limit of {} bytes",
        "Le message dépasse la limite de {} octets",
        "Die Nachricht ist größer als erlaubt ({} Bytes)",
    ),
    say(
        "An empty message can't be appended",
        "Un message vide ne peut pas être ajouté",
        "Eine leere Nachricht kann nicht abgelegt werden",
    ),
    say(
        "Too many messages in one APPEND",
        "Trop de messages dans un APPEND",
        "Zu viele Nachrichten in einem APPEND",
    ),
    say(
        "A message of APPEND must be a literal",
        "Un message d'APPEND doit être un littéral",
        "Eine Nachricht von APPEND muss ein Literal sein",
    ),
    say(
        "APPEND without a message",
        "APPEND sans message",
        "APPEND ohne Nachricht",
    ),
    say(
        "A text of CATENATE must be a literal",
        "Un texte de CATENATE doit être un littéral",
        "Ein Text von CATENATE muss ein Literal sein",
    ),
    say(
        "The URL leads to no message or part",
        "L'URL ne mène à aucun message ni partie",
        "Die URL führt zu keiner Nachricht und keinem Teil",
    ),
    say(
        "Some of the messages no longer exist",
        "Certains messages n'existent plus",
        "Einige der Nachrichten gibt es nicht mehr",
    ),
    say(
        "No message has that sequence number",
        "Aucun message n'a ce numéro",
        "Keine Nachricht hat diese Nummer",
    ),
    say(
        "Over quota",
        "Quota dépassé",
        "Der Speicherplatz ist aufgebraucht",
    ),
    say(
        "The charset is not known",
        "Ce jeu de caractères est inconnu",
        "Dieser Zeichensatz ist unbekannt",
    ),
    say(
        "After ENABLE, texts are UTF-8: no CHARSET",
        "Après ENABLE, les textes sont en UTF-8 : pas de CHARSET",
        "Nach ENABLE sind Texte UTF-8: ohne CHARSET",
    ),
    say(
        "None of these comparators is known",
        "Aucun de ces comparateurs n'est connu",
        "Keines dieser Vergleichsverfahren ist bekannt",
    ),
    say(
        "None of these languages is spoken here",
        "Aucune de ces langues n'est parlée ici",
        "Keine dieser Sprachen wird hier gesprochen",
    ),
    say(
        "A part has an unknown content transfer encoding",
        "Une partie a un encodage inconnu",
        "Ein Teil hat eine unbekannte Kodierung",
    ),
    say(
        "That resource can't be limited",
        "Cette ressource ne peut pas être limitée",
        "Diese Ressource kann nicht begrenzt werden",
    ),
    say(
        "A range of batches ascends",
        "Une plage de lots est croissante",
        "Ein Bereich von Gruppen steigt an",
    ),
    say(
        "Nothing is followed",
        "Rien n'est suivi",
        "Es wird nichts verfolgt",
    ),
    say(
        "UIDONLY is enabled: name messages by UID",
        "UIDONLY est actif : désignez les messages par UID",
        "UIDONLY ist eingeschaltet: Nachrichten nach UID benennen",
    ),
    say(
        "The account has no room for this",
        "Le compte n'a pas la place pour cela",
        "Das Konto hat dafür keinen Platz",
    ),
    say(
        "The account has as many messages as it may",
        "Le compte a déjà autant de messages que permis",
        "Das Konto hat bereits so viele Nachrichten wie erlaubt",
    ),
    say(
        "No such quota root",
        "Racine de quota inconnue",
        "Diese Quota-Wurzel gibt es nicht",
    ),
    say(
        "There is no such filter",
        "Ce filtre n'existe pas",
        "Diesen Filter gibt es nicht",
    ),
    say(
        "Filters are in UTF-8",
        "Les filtres sont en UTF-8",
        "Filter sind in UTF-8",
    ),
    say(
        "The filters have too many search keys",
        "Les filtres ont trop de critères de recherche",
        "Die Filter haben zu viele Suchkriterien",
    ),
    say(
        "That can't be the name of a filter",
        "Un filtre ne peut pas porter ce nom",
        "So kann ein Filter nicht heißen",
    ),
    say(
        "A filter has to be complete search keys in UTF-8",
        "Un filtre doit être une recherche complète, en UTF-8",
        "Ein Filter muss aus vollständigen Suchkriterien in UTF-8 bestehen",
    ),
    say(
        "There are as many annotations as may be",
        "Il y a déjà autant d'annotations que permis",
        "Es gibt bereits so viele Anmerkungen wie erlaubt",
    ),
    say(
        "The value is too large",
        "La valeur est trop grande",
        "Der Wert ist zu groß",
    ),
    say(
        "Too much was expunged meanwhile, connect again",
        "Trop de messages ont été supprimés entre-temps, reconnectez-vous",
        "Inzwischen wurde zu viel gelöscht, bitte neu verbinden",
    ),
    say(
        "Too much to put in order at once",
        "Trop à trier à la fois",
        "Zu viel, um es auf einmal zu ordnen",
    ),
    say(
        "That can't be an identifier",
        "Cela ne peut pas être un identifiant",
        "Das kann keine Kennung sein",
    ),
    say(
        "INBOX of another user can't be renamed",
        "L'INBOX d'un autre utilisateur ne peut pas être renommée",
        "Die INBOX anderer Benutzer kann nicht umbenannt werden",
    ),
    say(
        "The selected mailbox is no longer shared with you",
        "La boîte sélectionnée n'est plus partagée avec vous",
        "Das geöffnete Postfach ist nicht mehr für Sie freigegeben",
    ),
    say(
        "Unsupported event",
        "Événement non pris en charge",
        "Dieses Ereignis wird nicht unterstützt",
    ),
    say(
        "Not available just now, try again later",
        "Indisponible pour le moment, réessayez plus tard",
        "Gerade nicht verfügbar, bitte später erneut versuchen",
    ),
    say(
        "As many identifiers have rights on the mailbox as may",
        "Il y a déjà autant d'ayants droit sur la boîte que permis",
        "Bereits so viele haben Rechte an dem Postfach wie erlaubt",
    ),
    say(
        "Too many messages for another account at once",
        "Trop de messages à la fois pour un autre compte",
        "Zu viele Nachrichten auf einmal für ein anderes Konto",
    ),
    say(
        "The message of REPLACE must be a literal",
        "Le message de REPLACE doit être un littéral",
        "Die Nachricht von REPLACE muss ein Literal sein",
    ),
    say(
        "There is no message",
        "Il n'y a pas de message",
        "Es ist keine Nachricht da",
    ),
    say(
        "DEFLATE is the only mechanism",
        "DEFLATE est le seul mécanisme",
        "DEFLATE ist das einzige Verfahren",
    ),
    say(
        "No message has that UID",
        "Aucun message n'a cet UID",
        "Keine Nachricht hat diese UID",
    ),
    say(
        "DEFLATE is active already",
        "DEFLATE est déjà actif",
        "DEFLATE ist schon aktiv",
    ),
    say(
        "Nothing may be said between COMPRESS and its OK",
        "Rien ne peut être dit entre COMPRESS et son OK",
        "Zwischen COMPRESS und dessen OK darf nichts gesagt werden",
    ),
    say(
        "The tag is in use for updates",
        "Cette étiquette sert déjà à des mises à jour",
        "Diese Marke wird schon für Änderungen benutzt",
    ),
    // The protocol.
    say(
        "{} is not offered",
        "{} n'est pas proposé",
        "{} wird nicht angeboten",
    ),
    say(
        "ENABLE QRESYNC comes first",
        "ENABLE QRESYNC vient d'abord",
        "Zuerst kommt ENABLE QRESYNC",
    ),
    say(
        "IDLE ends with DONE",
        "IDLE se termine par DONE",
        "IDLE endet mit DONE",
    ),
    // The server.
    say(
        "The server has no room to write",
        "Le serveur n'a plus de place pour écrire",
        "Der Server hat keinen Platz zum Schreiben",
    ),
    say(
        "Storage is unavailable, try again later",
        "Le stockage est indisponible, réessayez plus tard",
        "Der Speicher ist nicht erreichbar, bitte später erneut versuchen",
    ),
    say(
        "Internal error, see the server's log",
        "Erreur interne, voir le journal du serveur",
        "Interner Fehler, siehe Protokoll des Servers",
    ),
];
