using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Veredus.Smtp;

namespace Veredus.Delivery.Bounces;

/// <summary>Codes of <c>mta.md</c> 7.6; sites add numbers of their own below 100.</summary>
public enum BounceClass
{
    Undetermined = 1,
    InvalidRecipient = 10,
    SoftBounce = 20,
    DnsFailure = 21,
    MailboxFull = 22,
    TooLarge = 23,
    Timeout = 24,
    AdminFailure = 25,
    GenericNoRecipient = 30,
    Generic = 40,
    MailBlock = 50,
    SpamBlock = 51,
    SpamContent = 52,
    ProhibitedAttachment = 53,
    RelayingDenied = 54,
    AutoReply = 60,
    TransientFailure = 70,
    Subscribe = 80,
    Unsubscribe = 90,
    ChallengeResponse = 100,
}

/// <summary>Sorts replies into classes: rules of the site first, then the enhanced status, then the code.</summary>
public sealed class BounceClassifier
{
    private readonly ImmutableArray<Rule> _rules;

    private BounceClassifier(ImmutableArray<Rule> rules) => _rules = rules;

    /// <summary>No rules of a site.</summary>
    public static BounceClassifier Default { get; } = new([]);

    /// <summary>Reads a rule file: <c>code TAB regex [TAB domain]</c>, <c>#</c> begins a comment line; the first match wins.</summary>
    /// <param name="text">The regex is matched without regard to case against code, status and text of the reply; the domain against the routing domain, whole, <c>*.</c> for sub-domains.</param>
    /// <param name="errors">One text per unusable line.</param>
    public static BounceClassifier Parse(string text, out ImmutableArray<string> errors)
    {
        ArgumentNullException.ThrowIfNull(text);
        var (rules, problems) = (ImmutableArray.CreateBuilder<Rule>(), ImmutableArray.CreateBuilder<string>());
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            var line = raw.TrimEnd('\r', ' ');
            if (line.Length == 0 || line[0] == '#')
                continue;
            var columns = line.Split('\t', StringSplitOptions.RemoveEmptyEntries);
            if (columns.Length is < 2 or > 3 || !int.TryParse(columns[0], NumberStyles.None, CultureInfo.InvariantCulture, out var code) || code is < 1 or > 100)
            {
                problems.Add($"line {number}: expected 'code TAB regex [TAB domain]' with a code of 1 to 100, found '{line}'");
                continue;
            }
            try
            {
                const RegexOptions Options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.IgnoreCase;
                rules.Add(new(code, new(columns[1], Options), columns.Length > 2 ? columns[2].ToLowerInvariant() : ""));
            }
            catch (Exception error) when (error is ArgumentException or NotSupportedException)
            {
                problems.Add($"line {number}: regular expression '{columns[1]}': {error.Message}");
            }
        }
        errors = problems.ToImmutable();
        return new(rules.ToImmutable());
    }

    /// <param name="domain">Routing domain, lower case.</param>
    public int Classify(SmtpReply reply, string domain)
    {
        ArgumentNullException.ThrowIfNull(reply);
        if (!_rules.IsEmpty)
        {
            var text = reply.ToString();
            foreach (var rule in _rules)
                if (rule.Matches(domain) && rule.Pattern.IsMatch(text))
                    return rule.Code;
        }
        return (int)ByStatus(reply);
    }

    private static BounceClass ByStatus(SmtpReply reply) => (reply.Status.Class, reply.Status.Subject, reply.Status.Detail) switch
    {
        (5, 1, _) => BounceClass.InvalidRecipient,
        (4 or 5, 2, 2) => BounceClass.MailboxFull,
        (4 or 5, 3, 4) => BounceClass.TooLarge,
        (5, 4, 7) => BounceClass.Timeout,
        (4 or 5, 4, 4) => BounceClass.DnsFailure,
        (5, 7, _) => BounceClass.MailBlock,
        _ when reply.IsTransient => BounceClass.TransientFailure,
        _ when reply.IsPermanent => BounceClass.Generic,
        _ => BounceClass.Undetermined,
    };

    private sealed record Rule(int Code, Regex Pattern, string Domain)
    {
        public bool Matches(string domain) =>
            Domain.Length == 0 || Domain == domain || (Domain.StartsWith("*.", StringComparison.Ordinal) && domain.EndsWith(Domain[1..], StringComparison.Ordinal));
    }
}
