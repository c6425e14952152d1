namespace Veredus.Configuration;

/// <summary>One option that differs between two configurations.</summary>
/// <param name="Scope">The scope that holds it, in either of them.</param>
/// <param name="Old">As written; null when it was not set.</param>
/// <param name="New">As written; null when it is no longer set.</param>
public sealed record OptionDifference(ScopeNode Scope, Option Option, RawValue? Old, RawValue? New)
{
    /// <summary>Path and option as on the console.</summary>
    public string Path => Scope.Parent is null ? Option.DisplayName : $"{Scope.ConsolePath} {Option.DisplayName}";

    /// <summary>One of the two values as it may be shown: passwords are masked; null for null.</summary>
    public string? Show(RawValue? value) => value is null ? null : Masking.Show(Option, value).ToString();

    internal static List<OptionDifference> Between(ScopeNode before, ScopeNode after)
    {
        List<OptionDifference> differences = [];
        var old = before.Walk().ToDictionary(n => n.Id);
        foreach (var scope in after.Walk())
        {
            old.Remove(scope.Id, out var was);
            foreach (var setting in scope.Settings)
            {
                var previous = was?.Find(setting.Option)?.Raw;
                if (!setting.Raw!.Equals(previous))
                    differences.Add(new(scope, setting.Option, previous, setting.Raw));
            }
            foreach (var setting in was?.Settings ?? [])
            {
                if (scope.Find(setting.Option) is null)
                    differences.Add(new(scope, setting.Option, setting.Raw, null));
            }
        }
        foreach (var gone in old.Values)
            differences.AddRange(gone.Settings.Select(s => new OptionDifference(gone, s.Option, s.Raw, null)));
        return differences;
    }
}

/// <summary>From one configuration to the next.</summary>
public sealed class ConfigurationChange
{
    internal ConfigurationChange(ConfigurationSnapshot old, ConfigurationSnapshot @new)
    {
        (Old, New) = (old, @new);
        Differences = OptionDifference.Between(old.Root, @new.Root);
        var before = old.Root.Walk().Select(n => n.Id).ToHashSet();
        var after = @new.Root.Walk().Select(n => n.Id).ToHashSet();
        ScopesChanged = !before.SetEquals(after);
    }

    public ConfigurationSnapshot Old { get; }
    public ConfigurationSnapshot New { get; }
    public IReadOnlyList<OptionDifference> Differences { get; }
    /// <summary>Whether a scope came or went, options or not: a new binding, a closed socket.</summary>
    public bool ScopesChanged { get; }

    /// <summary>Whether an option differs anywhere.</summary>
    public bool Affects(Option option) => Differences.Any(d => d.Option == option);
}

/// <summary>Part of the node that prepares for a new configuration before it becomes current, and may refuse it.</summary>
public interface IConfigurationParticipant
{
    /// <summary>
    /// Opens what <see cref="ConfigurationChange.New"/> needs (sockets, certificates, files) without using it yet.
    /// Reports to <paramref name="problems"/> what makes the change impossible; then nobody commits.
    /// </summary>
    /// <returns>What is to be taken into use or given up; null when there is nothing.</returns>
    ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken);
}

/// <summary>What a participant has prepared. Exactly one of the two methods is called, once.</summary>
public interface IPreparedConfiguration
{
    /// <summary>Takes it into use; the new snapshot is current already. Must not fail.</summary>
    void Commit();

    /// <summary>Gives it up; the old configuration stays.</summary>
    ValueTask AbortAsync();
}

/// <summary>Where participants report why a configuration can't be used.</summary>
public sealed class PreparationProblems
{
    private readonly List<Diagnostic> _items = [];

    public IReadOnlyList<Diagnostic> Items => _items;

    /// <param name="position">Of the setting, e.g. <see cref="Resolved.Position"/>.</param>
    /// <param name="near">The offending text, such as the address or the file.</param>
    /// <param name="message">What failed, with what, and what to do.</param>
    public void Add(SourcePosition position, string near, string message) =>
        _items.Add(new(DiagnosticSeverity.Error, "CFG-0601", position, near, message));
}

/// <summary>How a load, reload or commit went.</summary>
/// <param name="Change">Null when it failed.</param>
/// <param name="Text">For the operator; of a failure it ends with <c>Reconfigure failed.</c></param>
public sealed record ReconfigureResult(ConfigurationChange? Change, IReadOnlyList<Diagnostic> Diagnostics, string Text)
{
    public bool Success => Change is not null;
}
