namespace Veredus.Smtp;

/// <summary>An address of the envelope as the client wrote it, without angle brackets and source route.</summary>
/// <remarks>
/// A value over one string: "" is the null sender <c>&lt;&gt;</c>; "postmaster" is an unqualified address. Case is kept;
/// a domain of U-labels stays as it came (RFC 6531). Made by <see cref="AddressGrammar"/>, or trusted by whoever makes one.
/// </remarks>
public readonly record struct EnvelopeAddress
{
    private readonly string? _value;

    /// <param name="value">The address; "" for the null sender. The last "@" outside quotes divides it.</param>
    public EnvelopeAddress(string value) => _value = value;

    public static readonly EnvelopeAddress Null = new("");

    public string Value => _value ?? "";

    /// <summary>The null reverse-path of bounces.</summary>
    public bool IsNull => Value.Length == 0;

    /// <summary>Has a domain or an address literal.</summary>
    public bool IsQualified => At >= 0;

    /// <summary>The domain is an address literal such as <c>[192.0.2.1]</c> or <c>[IPv6:2001:db8::1]</c>.</summary>
    public bool IsLiteral => Domain.StartsWith('[');

    /// <summary>Left of the "@", quotes included.</summary>
    public ReadOnlySpan<char> LocalPart => At is >= 0 and var at ? Value.AsSpan(0, at) : Value;

    /// <summary>Right of the "@"; empty for an unqualified address.</summary>
    public ReadOnlySpan<char> Domain => At is >= 0 and var at ? Value.AsSpan(at + 1) : default;

    // What ends with a quote is a quoted local part alone, and its "@" divides nothing.
    private int At => Value.EndsWith('"') ? -1 : Value.LastIndexOf('@');

    public override string ToString() => Value;
}
