//! Addresses and networks: `ip(x)`, `cidr("10.0.0.0/8")` and what is asked of them, as
//! Kubernetes' CEL names them.

use super::Checker;
use crate::rules::address::{self, Address, Property};
use crate::rules::cel::{Node, Syntax};
use crate::rules::expr::{Bool, Text};
use crate::rules::schema::{Type, Typed};
use bstr::ByteSlice;
use ipnet::IpNet;
use std::ops::Range;

pub(super) const IN_A_NETWORK: &str =
    "a network holds addresses: `client_ip in cidr(\"10.0.0.0/8\")`";

/// Whether that string would be a network, had it been said.
pub(super) fn is_network(text: &[u8]) -> bool {
    text.to_str()
        .is_ok_and(|text| address::network(text).is_some())
}

impl Checker<'_> {
    /// `cidr("10.0.0.0/8")`
    pub(super) fn network(&mut self, node: &Node) -> Option<IpNet> {
        let Syntax::String(text) = &node.kind else {
            let message = "a network is written as it is";
            return self.refuse_with(&node.span, message, "`cidr(\"10.0.0.0/8\")`");
        };
        match address::network(text) {
            Some(network) => Some(network),
            None if address::read(text.as_bytes()).is_some() => {
                let message = format!("`{text}` is an address and no network");
                let hint = format!("one address is compared: `ip(client_ip) == ip(\"{text}\")`");
                self.refuse_with(&node.span, message, hint)
            }
            None => {
                let message = format!("`{text}` is no network");
                let hint = "an address, `/` and how many of its bits count: \
                            `cidr(\"10.0.0.0/8\")`, `cidr(\"fd00::/8\")`";
                self.refuse_with(&node.span, message, hint)
            }
        }
    }

    /// `ip(client_ip)`
    pub(super) fn ip(&mut self, node: &Node) -> Option<Address> {
        let text = match self.string(node)? {
            Text::Const(text) => text,
            text => return Some(Address::Of(text)),
        };
        match address::read(&text) {
            Some(address) => Some(Address::Const(address)),
            None if is_network(&text) => self.network_as_text(&node.span, &text),
            None => {
                let message = format!("`{text}` is no address");
                let hint = "`ip(\"10.0.0.1\")`, `ip(\"2001:db8::1\")`";
                self.refuse_with(&node.span, message, hint)
            }
        }
    }

    /// `cidr("10.0.0.0/8").containsIP(client_ip)`
    pub(super) fn contains_ip(&mut self, network: &Node, of: &Node) -> Option<Bool> {
        let (container, value) = (self.typed(network), self.typed(of));
        let address = match value? {
            Typed::Text(Text::Const(_)) => self.ip(of),
            value => self.address(&of.span, value),
        };
        match container? {
            Typed::Network(network) => Some(Bool::InNetworks(address?, [network].into())),
            other => {
                let message = format!("`containsIP` asks a network, found {}", other.kind());
                let hint = "`cidr(\"10.0.0.0/8\").containsIP(client_ip)`";
                self.refuse_with(&network.span, message, hint)
            }
        }
    }

    /// `client_ip in [cidr("10.0.0.0/8"), ip("192.0.2.1")]`
    pub(super) fn within_networks(
        &mut self,
        left: &Node,
        value: Option<Typed>,
        items: &[Node],
    ) -> Option<Bool> {
        let mut networks = Vec::with_capacity(items.len());
        for item in items {
            match self.typed(item)? {
                Typed::Network(network) => networks.push(network),
                Typed::Address(Address::Const(address)) => networks.push(IpNet::from(address)),
                Typed::Text(Text::Const(text)) if is_network(&text) => {
                    return self.network_as_text(&item.span, &text);
                }
                _ => {
                    let message = "a list of networks holds networks and addresses as they are";
                    let hint = "`client_ip in [cidr(\"10.0.0.0/8\"), ip(\"192.0.2.1\")]`";
                    return self.refuse_with(&item.span, message, hint);
                }
            }
        }
        let address = self.address(&left.span, value?)?;
        Some(Bool::InNetworks(address, networks.into()))
    }

    pub(super) fn address_is(
        &mut self,
        property: Property,
        of: &Node,
        function: &str,
    ) -> Option<Typed> {
        let address = self.target_address(of, function)?;
        Some(Typed::Bool(Bool::AddressIs(property, address)))
    }

    /// What `x.isPrivate()` and its like ask.
    pub(super) fn target_address(&mut self, node: &Node, function: &str) -> Option<Address> {
        match self.typed(node)? {
            Typed::Address(address) => Some(address),
            other => {
                let message = format!("`{function}` asks an address, found {}", other.kind());
                let hint = format!("`ip(client_ip).{function}()`");
                self.refuse_with(&node.span, message, hint)
            }
        }
    }

    /// What may be in a network: an address, or a string that is one.
    pub(super) fn address(&mut self, span: &Range<usize>, value: Typed) -> Option<Address> {
        match value {
            Typed::Address(address) => Some(address),
            Typed::Text(text) => Some(Address::Of(text)),
            other => {
                let message = format!("only an address is in a network, found {}", other.kind());
                let hint = match other.kind() {
                    Type::Strings => {
                        "take one of the list, such as `request_headers[\"X-Forwarded-For\"]`"
                    }
                    _ => IN_A_NETWORK,
                };
                self.refuse_with(span, message, hint)
            }
        }
    }

    /// A network in quotes is compared as a string, which no address is.
    pub(super) fn network_as_text<T>(&mut self, span: &Range<usize>, text: &[u8]) -> Option<T> {
        let text = text.as_bstr();
        let message = format!("`{text}` is a network, and no address is written so");
        let hint = format!("`client_ip in cidr(\"{text}\")`");
        self.refuse_with(span, message, hint)
    }
}
