//! What a termination state means, in words: `%ts` and `%tsc`, section 8.5 of HAProxy's
//! configuration manual.
//!
//! The first character says who or what ended the session, the second in which phase it was
//! then, the third which persistence cookie the client had, the fourth what was done with the
//! response's.

/// Whether the session ended as it should: nobody broke it off, or HAProxy answered by itself
/// as it is configured to, such as with a redirect.
pub fn is_normal(state: &[u8]) -> bool {
    match state {
        [b'L', ..] => true,
        [first, second, ..] => *first == b'-' && *second == b'-',
        _ => false,
    }
}

/// The first two characters in words. `None` where one of them is none that HAProxy writes.
pub fn words(state: &[u8]) -> Option<String> {
    let [first, second, ..] = *state else {
        return None;
    };
    if let Some((_, words)) = USUAL.iter().find(|(pair, _)| **pair == [first, second]) {
        return Some((*words).to_owned());
    }
    let (who, when) = (find(&ENDED_BY, first)?, find(&PHASES, second)?);
    Some(format!("{who} {when}"))
}

/// The persistence cookie's two characters in words; `None` where they say nothing.
pub fn cookie_words(state: &[u8]) -> Option<String> {
    let [_, _, request, response] = *state else {
        return None;
    };
    let said = [find(&OF_CLIENT, request), find(&OF_RESPONSE, response)];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    match said.is_empty() {
        true => None,
        false => Some(said.join("; ")),
    }
}

/// What stands for which character.
type Table<const N: usize> = [(u8, &'static str); N];

/// The first character.
const ENDED_BY: Table<12> = [
    (b'-', "nobody broke it off"),
    (b'C', "the client closed"),
    (b'S', "the server closed or refused"),
    (b'P', "HAProxy broke it off"),
    (b'L', "HAProxy answered by itself"),
    (b'R', "HAProxy had no memory, port or file left"),
    (b'I', "HAProxy found an error of its own"),
    (b'D', "HAProxy closed because the server went down"),
    (
        b'U',
        "HAProxy closed because a server to go back to came up",
    ),
    (b'K', "an operator closed"),
    (b'c', "the client was silent for too long"),
    (b's', "the server was silent for too long"),
];

/// The second character.
const PHASES: Table<8> = [
    (b'R', "before the request was complete"),
    (b'Q', "while it waited in the queue"),
    (b'C', "before the server had taken the connection"),
    (b'H', "before the server's response header was complete"),
    (b'D', "during the transfer"),
    (b'L', "while the client was still taking the last data"),
    (b'T', "while it was held back on purpose (tarpit)"),
    (b'-', "at the end of the transfer"),
];

/// Pairs that people meet, said in a more natural way than the parts would.
const USUAL: [(&[u8; 2], &str); 27] = [
    (b"--", "it ended as it should"),
    (b"CR", "the client closed before its request was complete"),
    (b"cR", "the client did not send its whole request in time"),
    (b"PR", "HAProxy refused the request"),
    (b"LR", "HAProxy answered by itself"),
    (
        b"IR",
        "HAProxy found an error of its own in handling the request",
    ),
    (
        b"CQ",
        "the client gave up while the request was in the queue",
    ),
    (b"sQ", "the request was in the queue for too long"),
    (
        b"SQ",
        "the server went away while the request was in its queue",
    ),
    (
        b"CC",
        "the client gave up before a server had taken the connection",
    ),
    (b"SC", "no server took the connection"),
    (b"sC", "the server did not take the connection in time"),
    (b"PC", "HAProxy opened no connection: a limit was reached"),
    (
        b"RC",
        "HAProxy had no memory, port or file left for a connection",
    ),
    (b"CH", "the client gave up before the server had answered"),
    (b"cH", "the client sent the rest of its request too late"),
    (b"SH", "the server closed before its response was complete"),
    (b"sH", "the server did not answer in time"),
    (b"PH", "HAProxy refused the server's response"),
    (b"CD", "the client closed during the transfer"),
    (
        b"cD",
        "the client took or sent nothing for too long during the transfer",
    ),
    (b"SD", "the server closed during the transfer"),
    (
        b"sD",
        "the server took or sent nothing for too long during the transfer",
    ),
    (b"PD", "HAProxy broke the transfer off"),
    (
        b"CT",
        "the client closed while it was held back on purpose (tarpit)",
    ),
    (
        b"PT",
        "HAProxy held it back on purpose and refused it (tarpit)",
    ),
    (b"sR", "the request was not passed on in time"),
];

/// The third character.
const OF_CLIENT: Table<7> = [
    (b'N', "the client had no cookie"),
    (b'I', "the client's cookie named no known server"),
    (b'D', "the client's cookie named a server that was down"),
    (b'V', "the client's cookie named the server that it came to"),
    (b'E', "the client's cookie had not been used for too long"),
    (b'O', "the client's cookie was too old"),
    (
        b'U',
        "the client's cookie was there and another rule chose the server",
    ),
];

/// The fourth character.
const OF_RESPONSE: Table<6> = [
    (b'N', "the response got no cookie"),
    (b'I', "HAProxy added its cookie to the response"),
    (b'U', "HAProxy renewed the date of its cookie"),
    (b'P', "the server's cookie was passed on"),
    (b'R', "HAProxy rewrote the server's cookie"),
    (b'D', "HAProxy took the cookie out of the response"),
];

fn find(table: &[(u8, &'static str)], character: u8) -> Option<&'static str> {
    let known = table.iter().find(|(known, _)| *known == character);
    known.map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_meet_is_said_in_words() {
        for (state, normal, want) in [
            ("--", true, "it ended as it should"),
            ("----", true, "it ended as it should"),
            ("--NI", true, "it ended as it should"),
            ("LR--", true, "HAProxy answered by itself"),
            (
                "SH--",
                false,
                "the server closed before its response was complete",
            ),
            ("sH--", false, "the server did not answer in time"),
            ("SCDN", false, "no server took the connection"),
            ("CD", false, "the client closed during the transfer"),
            (
                "DL--",
                false,
                "HAProxy closed because the server went down while the client was still taking \
                 the last data",
            ),
        ] {
            assert_eq!(words(state.as_bytes()).as_deref(), Some(want), "{state}");
            assert_eq!(is_normal(state.as_bytes()), normal, "{state}");
        }
    }

    #[test]
    fn every_pair_has_words_and_what_is_none_has_none() {
        for (first, _) in ENDED_BY {
            for (second, _) in PHASES {
                let words = words(&[first, second]);
                assert!(words.is_some_and(|words| words.len() < 120));
            }
        }
        for (place, (pair, words)) in USUAL.iter().enumerate() {
            assert!(find(&ENDED_BY, pair[0]).is_some() && find(&PHASES, pair[1]).is_some());
            let same = |(_, other): &(&[u8; 2], &str)| other == words;
            assert_eq!(USUAL.iter().position(same), Some(place));
        }
        for none in ["", "-", "??", "C?", "?D"] {
            assert_eq!(words(none.as_bytes()), None, "{none}");
            assert!(!is_normal(none.as_bytes()), "{none}");
        }
    }

    #[test]
    fn cookies_are_told_apart_from_the_end() {
        for (state, want) in [
            ("--", None),
            ("----", None),
            (
                "--NI",
                Some("the client had no cookie; HAProxy added its cookie to the response"),
            ),
            (
                "--VN",
                Some(
                    "the client's cookie named the server that it came to; the response got no \
                     cookie",
                ),
            ),
            (
                "--D-",
                Some("the client's cookie named a server that was down"),
            ),
        ] {
            assert_eq!(cookie_words(state.as_bytes()).as_deref(), want, "{state}");
        }
    }
}
