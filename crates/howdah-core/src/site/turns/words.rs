//! A place in the queue, in words. Pure.

use super::Place;

const ORDINALS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
const NUMBERS: [&str; 10] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// What is said of a cluster that waits, as the end of a sentence: `waits for its turn: third of
/// five`.
pub fn waits(place: Place) -> String {
    format!("waits for its turn: {} of {}", ordinal(place.position), number(place.of))
}

fn ordinal(n: usize) -> String {
    if let Some(word) = n.checked_sub(1).and_then(|i| ORDINALS.get(i)) {
        return (*word).to_owned();
    }
    let ending = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

fn number(n: usize) -> String {
    n.checked_sub(1).and_then(|i| NUMBERS.get(i)).map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_places_are_words_and_large_ones_have_their_ending() {
        let says = |position, of| waits(Place { position, of });
        assert_eq!(says(3, 5), "waits for its turn: third of five");
        assert_eq!(says(1, 1), "waits for its turn: first of one");
        assert_eq!(says(10, 10), "waits for its turn: tenth of ten");
        let large: Vec<_> = [11, 12, 13, 21, 22, 23, 104, 111, 112, 113, 122].map(ordinal).into();
        assert_eq!(
            large,
            ["11th", "12th", "13th", "21st", "22nd", "23rd", "104th", "111th", "112th", "113th", "122nd"]
        );
        assert!(says(12, 200).ends_with("12th of 200"));
    }
}
