//! The example runs.

#[path = "../examples/judge.rs"]
mod judge;

#[test]
fn the_example_runs() {
    judge::main().expect("the example fails");
}
