//! Damage to each kind of file in a pond, in turn: it is named, the rest is
//! readable, and nothing damaged is given out as good.

mod harm;
mod matrix;
mod salvage;
mod specimen;
