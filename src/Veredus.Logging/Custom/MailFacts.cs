namespace Veredus.Logging;

/// <summary>What own formats (<c>custom_logger</c>) can show of a message beside the fields of a record; the classic lines leave it out. Read while formatting, not kept.</summary>
public readonly record struct MailFacts
{
    /// <summary>The record's time with its fraction; <see langword="null"/>: the record's seconds.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>Empty for the null sender, and before MAIL FROM.</summary>
    public string? Sender { get; init; }

    public string? Recipient { get; init; }

    /// <summary>How the message came in.</summary>
    public string? Protocol { get; init; }

    /// <summary>Octets of the message.</summary>
    public long? Size { get; init; }

    /// <summary>Code of mta.md 7.6, for failures.</summary>
    public int? Classification { get; init; }

    public IReadOnlyDictionary<string, string>? ConnectionContext { get; init; }

    public IReadOnlyDictionary<string, string>? MessageContext { get; init; }
}
