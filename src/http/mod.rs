pub mod librato;
