//! What an account can be limited in (RFC 9208 §5).

/// A resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Resource {
    /// `STORAGE`: the bytes of all messages (RFC 9208 §5.1), which are told in units of 1,024.
    Storage,
    /// `MESSAGE`: the number of messages (RFC 9208 §5.2).
    Message,
    /// `MAILBOX`: the number of mailboxes (RFC 9208 §5.3).
    Mailbox,
}

impl Resource {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Storage, Self::Message, Self::Mailbox];

    /// As it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Storage => "STORAGE",
            Self::Message => "MESSAGE",
            Self::Mailbox => "MAILBOX",
        }
    }

    /// From its name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|resource| resource.name().eq_ignore_ascii_case(name))
    }
}

/// A value for each resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PerResource<T> {
    /// Of [`Resource::Storage`].
    pub storage: T,
    /// Of [`Resource::Message`].
    pub message: T,
    /// Of [`Resource::Mailbox`].
    pub mailbox: T,
}

impl<T: Copy> PerResource<T> {
    /// The value of one of them.
    #[must_use]
    pub const fn get(&self, resource: Resource) -> T {
        match resource {
            Resource::Storage => self.storage,
            Resource::Message => self.message,
            Resource::Mailbox => self.mailbox,
        }
    }

    /// Sets the value of one of them.
    pub const fn set(&mut self, resource: Resource, value: T) {
        match resource {
            Resource::Storage => self.storage = value,
            Resource::Message => self.message = value,
            Resource::Mailbox => self.mailbox = value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for resource in Resource::ALL {
            let lower = resource.name().to_lowercase();
            assert_eq!(Resource::from_name(&lower), Some(resource));
        }
        assert_eq!(Resource::from_name("ANNOTATION-STORAGE"), None);
    }

    #[test]
    fn each_resource_has_a_value_of_its_own() {
        let mut values = PerResource::default();
        for (value, resource) in Resource::ALL.into_iter().enumerate() {
            values.set(resource, value);
        }
        assert_eq!(
            Resource::ALL.map(|resource| values.get(resource)),
            [0, 1, 2]
        );
    }
}
