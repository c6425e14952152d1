using Veredus.Configuration;

namespace Veredus.Reception.Bindings;

/// <summary>A binding with the group it belongs to.</summary>
public readonly record struct BindingName(string Group, string Binding)
{
    /// <summary>Name of the group and of the binding that always exist.</summary>
    public const string DefaultName = "default";

    public static readonly BindingName Default = new(DefaultName, DefaultName);

    public override string ToString() => $"{Group}/{Binding}";
}

/// <summary>What is true of a binding at this moment.</summary>
public interface IBindingState
{
    /// <summary>Whether mail for this recipient domain would wait on the binding (<c>suspend_delivery</c>).</summary>
    bool IsSuspended(BindingName binding, string recipientDomain);

    /// <summary>Whether the binding's address is present on this node.</summary>
    bool IsLocal(BindingName binding);
}

/// <summary>Who decided a message's binding.</summary>
public enum AssignedBy
{
    Header,
    Rule,
    Listener,
    Default,

    /// <summary>Nobody, and <c>default_binding</c> is none: the message is refused.</summary>
    Nobody,
}

/// <summary>The binding of a message.</summary>
/// <param name="Rule">Name of the rule, for <see cref="AssignedBy.Rule"/>.</param>
/// <param name="UnknownName">A binding or group that was asked for and does not exist: to be told to the operator.</param>
public readonly record struct BindingAssignment(BindingName Name, AssignedBy By, string? Rule = null, string? UnknownName = null)
{
    public bool IsRefused => By == AssignedBy.Nobody;
}

/// <summary>Decides which binding a message belongs to (mta.md 3.2). Pure: reception and <c>rebind</c> ask the same function.</summary>
public static class BindingAssigner
{
    private const string GroupPrefix = "group:";

    /// <param name="random">Draws among equal members of a group.</param>
    public static BindingAssignment Assign(ConfigurationSnapshot configuration, BindingFacts facts, IBindingState state, Random random)
    {
        string? unknown = null;
        if (facts.Message.TryGetValue(ContextKeys.BindingHeader, out var asked))
        {
            var isGroup = asked.StartsWith(GroupPrefix, StringComparison.OrdinalIgnoreCase);
            if (Resolve(isGroup ? null : asked, isGroup ? asked[GroupPrefix.Length..].Trim() : null) is { } name)
                return new(name, AssignedBy.Header);
        }

        foreach (var rule in configuration.Rules)
        {
            if (rule.Matches(facts) && Resolve(rule.Binding, rule.BindingGroup) is { } name)
                return new(name, AssignedBy.Rule, rule.Name, unknown);
        }

        if (Resolve(facts.Connection.GetValueOrDefault(ContextKeys.AssignBinding), facts.Connection.GetValueOrDefault(ContextKeys.AssignBindingGroup)) is { } assigned)
            return new(assigned, AssignedBy.Listener, null, unknown);
        var isRefused = configuration.Global.Get(Options.DefaultBinding) == DefaultBindingMode.None;
        return new(BindingName.Default, isRefused ? AssignedBy.Nobody : AssignedBy.Default, null, unknown);

        BindingName? Resolve(string? binding, string? group)
        {
            if (binding is not null)
            {
                if (configuration.GroupOf(binding) is { } home)
                    return new(home, binding);
                unknown ??= $"binding '{binding}'";
                return null;
            }

            if (group is null)
                return null;
            // The group 'default' without a named binding means the binding 'default'.
            if (group == BindingName.DefaultName)
                return BindingName.Default;
            if (configuration.Groups.FirstOrDefault(g => g.Name == group) is { Bindings.Count: > 0 } found)
                return Choose(found, facts.RecipientDomain, state, random);
            unknown ??= $"binding group '{group}'";
            return null;
        }
    }

    /// <summary>
    /// One member of a group: unsuspended and local before unsuspended elsewhere before suspended and local before any; among equals a random one.
    /// </summary>
    public static BindingName Choose(BindingGroupDefinition group, string recipientDomain, IBindingState state, Random random)
    {
        var (best, bestRank, equals) = (default(BindingName), int.MaxValue, 0);
        foreach (var member in group.Bindings)
        {
            var name = new BindingName(group.Name, member.Name);
            var rank = (state.IsSuspended(name, recipientDomain) ? 2 : 0) + (state.IsLocal(name) ? 0 : 1);
            if (rank > bestRank)
                continue;
            if (rank < bestRank)
                (bestRank, equals) = (rank, 0);
            // The k-th equal replaces the choice with probability 1/k: even weights in one pass.
            if (random.Next(++equals) == 0)
                best = name;
        }

        return best;
    }
}
