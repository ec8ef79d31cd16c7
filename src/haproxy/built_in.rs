//! The formats that HAProxy has without a `log-format`, as its manual prints them
//! (sections 8.2.1 to 8.2.5).
//!
//! Two of them are no format strings in HAProxy: the line written with no option, and the
//! error line, are built in its code. Here they are strings like the others, with names
//! for the parts that no alias stands for.

/// `option httplog`, and the variable `HAPROXY_HTTP_LOG_FMT`.
pub const HTTPLOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc \
    %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r";

/// `option httpslog`, and the variable `HAPROXY_HTTPS_LOG_FMT`. The manual has no names
/// for its last fields; these are the names of the sample fetches, which are what a rule
/// would look for.
pub const HTTPSLOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc \
    %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r \
    %[fc_err]/%(ssl_fc_err)[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] \
    %[ssl_fc_sni]/%sslv/%sslc";

/// `option tcplog`, and the variable `HAPROXY_TCP_LOG_FMT`.
pub const TCPLOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

/// `option httplog clf`, and the variable `HAPROXY_HTTP_CLF_LOG_FMT`.
pub const HTTPLOG_CLF: &str = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s \
    %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl";

/// `option tcplog clf`, and the variable `HAPROXY_TCP_CLF_LOG_FMT`.
pub const TCPLOG_CLF: &str = "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s \
    %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq \"\" \"\" ";

/// With no option about logs.
pub const CONNECT: &str = "Connect from %ci:%cp to %fi:%fp (%f/%(mode)[fe_mode])";

/// A session that ended before it was one, without an `error-log-format`.
pub const ERROR: &str = "%ci:%cp [%t] %f/%(bind_name)[bind_name]: %(message)[message]";
