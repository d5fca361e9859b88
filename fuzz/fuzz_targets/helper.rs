//! A question or an answer that is understood prints as it was read, and only a yes is a yes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_proto::helper::{Answer, Question, is_service};

fuzz_target!(|data: &[u8]| {
    if let Some(question) = Question::parse(data) {
        assert_eq!(question.print().as_deref(), Some(data));
        if let Question::Login { service, .. } = question {
            assert!(is_service(service) && !service.contains('/'));
        }
    }
    if let Some(answer) = Answer::parse(data) {
        assert_eq!(answer == Answer::Yes, data == b"yes\n");
        assert_eq!(Answer::parse(answer.to_string().as_bytes()), Some(answer));
    }
});
