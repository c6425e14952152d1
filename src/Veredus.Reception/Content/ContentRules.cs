namespace Veredus.Reception.Content;

/// <summary>What to do when a message has no <c>Date</c> header (<c>rfc2822_date_header</c>).</summary>
public enum MissingDate
{
    /// <summary>Leave it out.</summary>
    Ignore,

    /// <summary>Refuse the message.</summary>
    Reject,

    /// <summary>Add one with the time of reception.</summary>
    Add,
}

/// <summary>The content rules in force for one message: the <c>rfc2822_*</c> options, <c>mail_loop</c> and what policy wants to see.</summary>
public sealed record ContentRules
{
    public MissingDate Date { get; init; } = MissingDate.Add;

    /// <summary>Add a <c>Message-ID</c> where there is none.</summary>
    public bool AddMessageId { get; init; } = true;

    /// <summary>Refuse a message without a header section.</summary>
    public bool RequireHeaders { get; init; } = true;

    /// <summary>Write CR LF for a lone CR or LF in the body.</summary>
    public bool FixLineEndsInBody { get; init; }

    /// <summary>Lines above this many octets (CR LF not counted) are broken: header lines folded, body lines cut. 0: no line is touched.</summary>
    public int BreakLinesAt { get; init; }

    /// <summary>Add the Received line and take Return-Path out.</summary>
    public bool TraceHeaders { get; init; } = true;

    /// <summary><c>mail_loop</c>: this many Received headers are still accepted.</summary>
    public int MaxReceivedHeaders { get; init; } = 100;

    /// <summary>Refuse a message above <see cref="MaxReceivedHeaders"/>; when false the count is only a fact for policy.</summary>
    public bool RefuseLoops { get; init; } = true;

    /// <summary>Names whose first value is kept as a fact (compared without case); every <see cref="RemovedHeader"/> is kept as well.</summary>
    public IReadOnlyList<string> WantedHeaders { get; init; } = [];

    /// <summary>A header that never reaches the spool (<c>binding_header</c>); <see langword="null"/> when there is none.</summary>
    public string? RemovedHeader { get; init; }
}

/// <summary>Why a message was refused for its content.</summary>
public enum ContentFault
{
    None,

    /// <summary>No header section.</summary>
    NoHeaders,

    /// <summary>No Date header.</summary>
    NoDate,

    /// <summary>More Received headers than <c>mail_loop</c> allows.</summary>
    Loop,

    /// <summary>The header section is larger than <see cref="ContentFilter.MaxHeaderBytes"/>.</summary>
    HeadersTooLarge,
}

/// <summary>What policy may want to know of the headers.</summary>
public sealed class HeaderFacts
{
    private Dictionary<string, string>? _headers;

    /// <summary>Received headers that the message came with.</summary>
    public int ReceivedHeaders { get; internal set; }

    /// <summary>The message came without a Date header.</summary>
    public bool DateMissing { get; internal set; }

    /// <summary>Unfolded value of the first header of that name, without white space around it; <see langword="null"/> when it is absent or was not asked for.</summary>
    public string? Header(string name) => _headers?.GetValueOrDefault(name);

    internal void Keep(string name, string value) => (_headers ??= new(StringComparer.OrdinalIgnoreCase)).TryAdd(name, value);
}
