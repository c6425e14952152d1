namespace Veredus.Configuration;

// The values of options that take a word. The words are the members' names in lower case unless the schema says otherwise.

/// <summary><c>tls</c>: outbound STARTTLS.</summary>
public enum TlsPolicy { No, IfAvailable, Required }

/// <summary><c>tls_verify</c>: <see cref="Optional"/> checks, and delivers whatever the result.</summary>
public enum TlsVerify { No, Ca, Host, Optional }

/// <summary><c>tls_verify_mode</c>: client certificates; <see cref="IfSent"/> is the unset form.</summary>
public enum ClientCertificateMode { IfSent, None, Require }

public enum StartTlsInjectionPolicy { Reject, Ignore }

public enum DateHeaderRule { IfNeeded, Ignore, Pedantic }

public enum MessageIdHeaderRule { IfNeeded, Ignore }

public enum MissingHeadersRule { Reject, Allow }

public enum LoneLfRule { Ignore, Pedantic, Fix }

public enum LineLengthMode { Ignore, Pedantic, Fix, Limit }

public enum LineLengthPolicy { None, Fix, Reject }

/// <summary><c>rfc2822_max_line_length</c>.</summary>
/// <param name="Octets">Own limit without CRLF; only with <see cref="LineLengthMode.Limit"/>.</param>
public readonly record struct LineLengthRule(LineLengthMode Mode, int Octets);

public enum DefaultBindingMode { Normal, Suspended, None }

public enum DeliveryMethod { Esmtp, Smtp, Lmtp }

/// <summary><c>blackhole</c>: <see cref="Inline"/> rejects at RCPT; <see cref="Internal"/> accepts, drops and logs a failure.</summary>
public enum BlackholeMode { No, Inline, Internal }

public enum XClientPolicy { No, IfAvailable, Required }

public enum EightBitPolicy { No, IfAvailable }

/// <summary><c>transform_8bitmime_content</c>.</summary>
public enum EightBitTransform { No, Strict }

public enum SmtpAuthType { None, Plain, Login }

public enum ConnectionGrowth { Normal, High }

public enum RetryLimitMode { Auto, None, Count }

/// <summary><c>max_retries</c>.</summary>
/// <param name="Count">Only with <see cref="RetryLimitMode.Count"/>: the message fails after so many attempts, or when it expires.</param>
public readonly record struct RetryLimit(RetryLimitMode Mode, int Count);

/// <summary><c>bounces_inline_original</c>: how much of the original a DSN carries.</summary>
public enum DsnContent { Headers, None, All }

public enum BounceBehavior { Pass, Blackhole }

public enum BindingHeaderTrust { Relay, Any }

public enum SigningStats { All, Global, Off }

/// <summary>Weight of a log line; smaller is graver.</summary>
public enum DebugLevel { Critical, Error, Warning, Notice, Info, Debug }

/// <summary><c>timing</c> of the bus: how soon a lost node is noticed.</summary>
public enum BusProfile { Default, Fast }

public enum PartitionPolicy { Component, Quorum }

public enum DelegatedAuthorization { Auto, Trust, Check }

public enum ReplicationScope { Cluster, Subcluster }

public enum SeriesDefault { None, All }
