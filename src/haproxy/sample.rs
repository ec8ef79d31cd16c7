//! What a sample expression prints, as far as its last words tell.
//!
//! HAProxy has some five hundred sample fetches and converters (sections 7.3.1 to 7.3.7
//! of its manual). A line can be cut apart if it is known of each value whether it can
//! hold a blank; the rest of a type does not matter. So the lists here are those that
//! never do, and are met in log formats. What is not listed may hold anything: what a
//! client sends and HAProxy does not check, such as the name of a server in TLS, is not.

use super::alias::Class;

/// What the expression's values look like.
pub(super) fn class(expression: &str) -> Class {
    let mut words = Words(expression);
    let Some(fetch) = words.next() else {
        return Class::Text;
    };
    words.fold(fetched(fetch), converted)
}

fn fetched(fetch: &str) -> Class {
    match fetch {
        "src" | "dst" | "fc_src" | "fc_dst" | "bc_src" | "bc_dst" | "hdr_ip" | "req.hdr_ip"
        | "res.hdr_ip" => Class::Address,
        "fe_name" | "be_name" | "srv_name" | "hostname" => Class::Name,
        "method" | "capture.req.method" | "ssl_fc_protocol" | "ssl_fc_cipher"
        | "ssl_bc_protocol" | "ssl_bc_cipher" | "ssl_c_key_alg" | "ssl_c_sig_alg"
        | "ssl_f_key_alg" | "ssl_f_sig_alg" | "ssl_c_notafter" | "ssl_c_notbefore" | "fe_mode" => {
            Class::Token
        }
        "path"
        | "pathq"
        | "url"
        | "query"
        | "capture.req.uri"
        | "capture.req.ver"
        | "capture.res.ver"
        | "req.ver"
        | "res.ver"
        | "req_ver"
        | "res_ver"
        | "uuid"
        | "unique-id"
        | "ssl_fc_alpn"
        | "ssl_bc_alpn"
        | "ssl_fc_npn"
        | "ssl_fc_client_random"
        | "ssl_fc_server_random"
        | "ssl_fc_session_id"
        | "ssl_fc_session_key"
        | "ssl_c_serial"
        | "ssl_c_sha1"
        | "ssl_f_serial"
        | "ssl_f_sha1"
        | "base32"
        | "base32+src"
        | "url32"
        | "url32+src"
        | "bind_name"
        | "txn.sess_term_state" => Class::Word,
        "act_conn" | "fe_conn" | "be_conn" | "srv_conn" | "bc_be_queue" | "bc_srv_queue"
        | "status" | "txn.status" | "txn.conn_retries" | "txn.redispatched" | "txn.id32"
        | "date" | "date_us" | "accept_date" | "request_date" | "rand" | "pid" | "nbsrv"
        | "nbthread" | "nbproc" | "proc" | "thread" | "queue" | "avg_queue" | "connslots"
        | "cpu_calls" | "fc_err" | "fc_http_major" | "bc_err" | "fc_rtt" | "fc_rttvar"
        | "fc_retrans" | "fc_lost" | "ssl_c_err" | "ssl_c_ca_err" | "ssl_c_ca_err_depth"
        | "ssl_c_verify" | "ssl_c_version" | "ssl_c_used" | "ssl_fc" | "ssl_bc" | "ssl_fc_err"
        | "ssl_bc_err" | "ssl_fc_is_resumed" | "ssl_bc_is_resumed" | "ssl_fc_has_sni"
        | "ssl_fc_has_crt" | "ssl_fc_has_early" | "ssl_fc_use_keysize" | "ssl_fc_alg_keysize"
        | "ssl_bc_alg_keysize" | "ssl_bc_use_keysize" | "req.bytes_in" | "res.bytes_in"
        | "bytes_in" | "bytes_out" | "req.body_len" | "req.body_size" | "fe_id" | "be_id"
        | "srv_id" | "so_id" | "fe_req_rate" | "fe_sess_rate" | "be_sess_rate"
        | "srv_sess_rate" | "lastsess" | "stopping" | "always_true" | "always_false"
        | "http_first_req" | "dst_is_local" | "src_is_local" | "dst_conn" | "wait_end"
        | "hdr_cnt" | "req.hdr_cnt" | "res.hdr_cnt" | "req.hdr_len" => Class::Int,
        other if other.contains(".timer.") || other.ends_with("_port") => Class::Int,
        other if other.starts_with("sc") && (other.contains("_rate") || other.contains("_cnt")) => {
            Class::Int
        }
        _ => Class::Text,
    }
}

/// What a converter makes of it.
fn converted(before: Class, converter: &str) -> Class {
    match converter {
        "hex" | "base64" | "ub64enc" | "url_enc" | "sha1" | "sha2" | "digest" | "hmac" | "md5"
        | "htonl" => Class::Word,
        "length"
        | "crc32"
        | "crc32c"
        | "djb2"
        | "sdbm"
        | "wt6"
        | "xxh32"
        | "xxh64"
        | "add"
        | "sub"
        | "mul"
        | "div"
        | "mod"
        | "neg"
        | "not"
        | "odd"
        | "even"
        | "bool"
        | "and"
        | "or"
        | "xor"
        | "cpl"
        | "strcmp"
        | "hex2i"
        | "rfc7239_is_valid"
        | "map_str_int"
        | "map_beg_int"
        | "map_ip_int"
        | "table_http_req_rate"
        | "table_conn_cnt"
        | "in_table" => Class::Int,
        "ipmask" | "map_str_ip" | "map_ip_ip" => Class::Address,
        // These leave blanks where they were and make none.
        "lower" | "upper" | "field" | "word" | "bytes" | "ltrim" | "rtrim" | "set-var"
        | "debug" | "host_only" | "port_only" => match before {
            Class::Int => Class::Word,
            before => before,
        },
        _ => Class::Text,
    }
}

/// The words of an expression before their parentheses, split at its commas.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
        let end = self.0.find(|c| {
            match (c, quote) {
                _ if escaped => escaped = false,
                ('\\', _) if depth > 0 => escaped = true,
                (_, Some(open)) if c == open => quote = None,
                (_, Some(_)) => {}
                ('"' | '\'', None) if depth > 0 => quote = Some(c),
                ('(', None) => depth += 1,
                (')', None) => depth = depth.saturating_sub(1),
                (',', None) => return depth == 0,
                _ => {}
            }
            false
        });
        let end = end.unwrap_or(self.0.len());
        let word = self.0[..end].trim();
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(word.split('(').next().unwrap_or(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_classed_by_their_fetch_and_converters() {
        for (expression, expected) in [
            ("src", Class::Address),
            ("src,ipmask(24)", Class::Address),
            ("src_port", Class::Int),
            ("fc.timer.total", Class::Int),
            ("ssl_fc_err,hex", Class::Word),
            ("ssl_fc_alpn,lower", Class::Word),
            // A client can send what it likes as the name of a server, or as a Host.
            ("ssl_fc_sni", Class::Text),
            ("base", Class::Text),
            ("int(1),htonl", Class::Word),
            ("req.hdr(user-agent)", Class::Text),
            ("req.hdr(a),base64", Class::Word),
            ("req.hdr(\"a,b\"),length", Class::Int),
            ("path,regsub(\"(\",\",\"),hex", Class::Word),
            ("status,lower", Class::Word),
            ("status,lower,unheard_of", Class::Text),
            ("var(txn.a)", Class::Text),
        ] {
            assert_eq!(class(expression), expected, "{expression}");
        }
    }
}
