namespace Veredus.Smtp;

/// <summary>Addresses of the envelope (RFC 5321 §4.1.2, RFC 6531 §3.3).</summary>
public static class AddressGrammar;
