using System.Net;

namespace Veredus.Configuration;

/// <summary>What binding rules look at. Implemented by whoever assigns bindings.</summary>
public interface IRuleSubject
{
    /// <summary>Envelope sender, empty for the null sender.</summary>
    string Sender { get; }
    string RecipientDomain { get; }
    /// <summary>Null without authentication.</summary>
    string? AuthUser { get; }
    /// <summary>Null when unknown.</summary>
    IPAddress? Client { get; }
    /// <summary>All values of a header field.</summary>
    IEnumerable<string> Header(string name);
    /// <summary>A context variable, or null.</summary>
    string? Context(string key);
}

/// <summary>One <c>binding_rule</c> stanza: all given conditions must hold.</summary>
public sealed class BindingRule
{
    private readonly List<Pattern> _senders = [];
    private readonly List<Pattern> _recipientDomains = [];
    private readonly IReadOnlyList<string> _users;
    private readonly CidrList _peers;
    private readonly List<(string Name, Pattern Value)> _headers = [];
    private readonly List<(string Key, Pattern Value)> _context = [];

    private BindingRule(ScopeNode node)
    {
        (Name, Order) = (node.Instance, node.Get(Options.RuleOrder));
        (Binding, BindingGroup) = (node.Get(Options.RuleBinding), node.Get(Options.RuleBindingGroup));
        (_users, _peers) = (node.Get(Options.RuleAuthUser), node.Get(Options.RulePeer));
        AddGlobs(_senders, node.Get(Options.RuleSender));
        AddGlobs(_recipientDomains, node.Get(Options.RuleRecipientDomain));
        AddPairs(_headers, node.Get(Options.RuleHeader));
        AddPairs(_context, node.Get(Options.RuleContext));
    }

    public string Name { get; }
    public int Order { get; }
    /// <summary>The binding to take; null when <see cref="BindingGroup"/> is given.</summary>
    public string? Binding { get; }
    public string? BindingGroup { get; }

    internal static BindingRule Create(ScopeNode node) => new(node);

    public bool Matches(IRuleSubject subject)
    {
        if (_senders.Count > 0 && !_senders.Exists(p => p.IsMatch(subject.Sender)))
            return false;
        if (_recipientDomains.Count > 0 && !_recipientDomains.Exists(p => p.IsMatch(subject.RecipientDomain)))
            return false;
        if (_users.Count > 0 && (subject.AuthUser is not { } user || !_users.Contains(user)))
            return false;
        if (!_peers.IsEmpty && (subject.Client is not { } client || !_peers.Contains(client)))
            return false;
        return _headers.TrueForAll(h => subject.Header(h.Name).Any(value => h.Value.IsMatch(value)))
            && _context.TrueForAll(c => subject.Context(c.Key) is { } value && c.Value.IsMatch(value));
    }

    private static void AddGlobs(List<Pattern> patterns, IReadOnlyList<string> texts)
    {
        foreach (var text in texts)
        {
            // A glob: '*' stands for any text, everything else for itself.
            var regex = InstanceNames.IsRegex(text) ? text[1..^1]
                : "^" + System.Text.RegularExpressions.Regex.Escape(text).Replace("\\*", ".*", StringComparison.Ordinal) + "$";
            if (Pattern.TryParse(regex, ignoreCase: true, out var pattern, out _))
                patterns.Add(pattern);
        }
    }

    private static void AddPairs(List<(string, Pattern)> patterns, ValueDictionary pairs)
    {
        foreach (var (key, values) in pairs)
        {
            foreach (var value in values)
            {
                if (Pattern.TryParse(value, ignoreCase: true, out var pattern, out _))
                    patterns.Add((key, pattern));
            }
        }
    }
}
