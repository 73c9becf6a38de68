//! JSON bodies, taken as the API describes them: an object where an object is meant.
//!
//! Serde takes a list for a struct as well, by position, at any depth: `[null, null]` would be a cluster's security, and `[]`
//! whatever has only defaults. It also takes the number of a variant for its name. Nobody means that, least of all as a vote.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Value};

/// Reads a body; the error says where in it and why.
///
/// # Errors
/// What is not JSON, or does not fit the type.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotTaken> {
    let tree: Tree = serde_json::from_slice(bytes).map_err(|e| NotTaken::Unreadable(e.to_string()))?;
    serde_path_to_error::deserialize(tree).map_err(|e| match e.path().to_string().as_str() {
        "." => NotTaken::Unfit(e.inner().to_string()),
        path => NotTaken::Unfit(format!("{path}: {}", e.inner())),
    })
}

/// Why a body was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It is not JSON.
    Unreadable(String),
    /// It is, and another thing is meant here.
    Unfit(String),
}

/// JSON as it came: members twice are there twice, so that a struct refuses them.
#[derive(Debug)]
enum Tree {
    Scalar(Value),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}

impl IntoDeserializer<'_, Error> for Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Scalar(value) => value.deserialize_any(visitor),
            Self::List(items) => SeqDeserializer::new(items.into_iter()).deserialize_any(visitor),
            Self::Object(members) => visitor.visit_map(MapDeserializer::new(members.into_iter())),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::List(_) => Err(Error::invalid_type(Unexpected::Seq, &"an object")),
            Self::Scalar(_) | Self::Object(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Scalar(Value::Null) => visitor.visit_none(),
            Self::Scalar(_) | Self::List(_) | Self::Object(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Scalar(value) => value.deserialize_enum(name, variants, visitor),
            Self::Object(members) => {
                let members = MapDeserializer::new(members.into_iter());
                MapAccessDeserializer::new(members).deserialize_enum(name, variants, visitor)
            }
            Self::List(_) => Err(Error::invalid_type(Unexpected::Seq, &"one word")),
        }
    }

    /// The word that says which variant it is. Serde would take its number as well.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Scalar(Value::Number(number)) => {
                Err(Error::invalid_type(Unexpected::Other(&format!("number `{number}`")), &"a word"))
            }
            Self::Scalar(_) | Self::List(_) | Self::Object(_) => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        words: Vec<String>,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        kind: Option<Kind>,
    }

    #[derive(Debug, PartialEq, Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        count: i32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "by", rename_all = "snake_case")]
    enum Tagged {
        Name { name: String },
    }

    fn read(text: &str) -> Result<Outer, NotTaken> {
        from_slice(text.as_bytes())
    }

    fn unfit(text: &str) -> String {
        match read(text) {
            Err(NotTaken::Unfit(why)) => why,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn objects_are_read_as_serde_reads_them() {
        let inner = Some(Inner { count: -3 });
        let whole = Outer { words: vec!["a".to_owned()], inner, kind: Some(Kind::Plain) };
        assert_eq!(read(r#"{"words": ["a"], "inner": {"count": -3}, "kind": "plain"}"#), Ok(whole));
        let least = Outer { words: Vec::new(), inner: None, kind: None };
        assert_eq!(read(r#"{"words": [], "inner": null}"#), Ok(least));
    }

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        assert_eq!(unfit("[[]]"), "invalid type: sequence, expected an object");
        assert_eq!(
            unfit(r#"{"words": [], "inner": []}"#),
            "inner: invalid type: sequence, expected an object"
        );
        assert_eq!(
            unfit(r#"{"words": [], "kind": ["plain"]}"#),
            "kind: invalid type: sequence, expected one word"
        );
    }

    #[test]
    fn a_variant_is_named_not_numbered() {
        let read = |text: &str| from_slice::<Tagged>(text.as_bytes());
        assert_eq!(read(r#"{"by": "name", "name": "a"}"#), Ok(Tagged::Name { name: "a".to_owned() }));
        assert!(
            matches!(read(r#"{"by": 0, "name": "a"}"#), Err(NotTaken::Unfit(why)) if why.contains("expected a word"))
        );
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        assert_eq!(unfit(r#"{"words": [1]}"#), "words[0]: invalid type: integer `1`, expected a string");
        assert_eq!(unfit(r#"{"words": [], "words": []}"#), "duplicate field `words`");
        assert!(unfit(r#"{"words": [], "more": 1}"#).contains("unknown field `more`"));
        assert!(
            matches!(read(r#"{"words": "#), Err(NotTaken::Unreadable(why)) if why.contains("line 1 column 10"))
        );
    }
}
