namespace Veredus.Configuration;

/// <summary>
/// Holds the current configuration and replaces it atomically. A change is prepared by all participants, then taken into
/// use in one step, or refused with nothing changed. One change at a time; reading <see cref="Current"/> is free.
/// </summary>
public sealed class ConfigurationStore : IDisposable
{
    private readonly ConfigurationLoader? _loader;
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly List<IConfigurationParticipant> _participants = [];
    private volatile ConfigurationSnapshot _current;

    /// <summary>A store that starts with <paramref name="snapshot"/>, as read by <paramref name="loader"/>; without a loader it can't reload (tests).</summary>
    public ConfigurationStore(ConfigurationSnapshot snapshot, ConfigurationLoader? loader = null)
    {
        (_current, _loader) = (snapshot, loader);
        Started = Loaded = snapshot;
    }

    /// <summary>The configuration in force. Take it once per decision; it never changes under its reader.</summary>
    public ConfigurationSnapshot Current => _current;

    /// <summary>The configuration that the process started with: what non-dynamic options run with.</summary>
    public ConfigurationSnapshot Started { get; }

    /// <summary>The configuration as last read from files or written to them; the difference to <see cref="Current"/> are the live changes.</summary>
    public ConfigurationSnapshot Loaded { get; private set; }

    /// <summary>Raised after a change is in force, one at a time, on the thread of the one who changed. Subscribers must be quick and must not fail.</summary>
    public event Action<ConfigurationChange>? Changed;

    /// <summary>Adds a participant; they prepare in the order of their registration.</summary>
    public void Register(IConfigurationParticipant participant)
    {
        lock (_participants)
            _participants.Add(participant);
    }

    /// <summary>Reads all files again and takes them into use; live changes are dropped. A failure changes nothing.</summary>
    /// <param name="file">Main file; null = the one in use.</param>
    public async Task<ReconfigureResult> ReloadAsync(string? file = null, CancellationToken cancellationToken = default)
    {
        if (_loader is null)
            return Failed([new(DiagnosticSeverity.Error, "CFG-0401", new("console", 0, 0), "", "This configuration was not read from a file.")]);
        await _changing.WaitAsync(cancellationToken);
        try
        {
            var loaded = _loader.Load(file ?? _current.MainFile, checkResources: true);
            if (loaded.Snapshot is not { } snapshot)
                return Failed(loaded.Diagnostics);
            var result = await ActivateAsync(snapshot, loaded.Diagnostics, cancellationToken);
            if (result.Success)
                Loaded = snapshot;
            return result;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>
    /// What a reload with other files would do here: they are read, checked and prepared for as in a reload (sockets, certificates), and all of it is
    /// given up again.
    /// </summary>
    /// <param name="loader">Reads the files in question, e.g. those of a revision that is not in place yet.</param>
    /// <returns>The change that a reload would make, or why it would be refused.</returns>
    public async Task<ReconfigureResult> RehearseAsync(ConfigurationLoader loader, string? file = null, CancellationToken cancellationToken = default)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            var loaded = loader.Load(file ?? _current.MainFile, checkResources: true);
            if (loaded.Snapshot is not { } snapshot)
                return Failed(loaded.Diagnostics);
            var change = new ConfigurationChange(_current, snapshot);
            var (prepared, problems) = await PrepareAsync(change, cancellationToken);
            await AbortAsync(prepared);
            return problems.Count > 0 ? Failed([.. loaded.Diagnostics, .. problems]) : Succeeded(change, [.. loaded.Diagnostics, .. PendingRestart(change)]);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Applies edits that were made against <paramref name="basis"/>; what others changed since stays, unless both touched the same path.</summary>
    internal async Task<ReconfigureResult> CommitAsync(ConfigurationSnapshot basis, IReadOnlyList<ConfigurationEdit> edits, bool fromScratch, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            var current = _current;
            if (!ReferenceEquals(current, basis))
            {
                var conflicts = OptionDifference.Between(basis.Root, current.Root).Where(d => fromScratch || edits.Any(e => e.Touches(d))).Select(d => d.Path).Distinct().ToList();
                if (conflicts.Count > 0)
                    return Failed([new(DiagnosticSeverity.Error, "CFG-0508", new("console", 0, 0), "", $"Conflict: changed by others since 'config begin': {string.Join(", ", conflicts)}. Roll back and begin again.")]);
            }
            var root = fromScratch ? TreeBuilder.NewRoot() : current.Root.Clone();
            var diagnostics = new DiagnosticBag();
            foreach (var edit in edits)
                edit.Apply(root, diagnostics);
            CrossChecks.Run(root, diagnostics);
            return diagnostics.HasErrors
                ? Failed(diagnostics.Items)
                : await ActivateAsync(new(root, current.Files, current.MainFile), diagnostics.Items, cancellationToken);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Saves the live changes; see <see cref="Writeback"/>.</summary>
    internal async Task<WritebackResult> WriteBackAsync(string? file, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            var current = _current;
            var result = Writeback.Run(Loaded, current, file, () => _loader?.Load(current.MainFile).Snapshot);
            if (result.Written is { } written)
            {
                var saved = new ConfigurationSnapshot(current.Root, [.. current.Files.Where(f => f.Path != written.Path), written], current.MainFile);
                _current = saved;
                if (result.Unsaved.Count == 0)
                    Loaded = saved;
            }
            return result;
        }
        finally
        {
            _changing.Release();
        }
    }

    private async Task<ReconfigureResult> ActivateAsync(ConfigurationSnapshot next, IReadOnlyList<Diagnostic> found, CancellationToken cancellationToken)
    {
        var change = new ConfigurationChange(_current, next);
        var (prepared, problems) = await PrepareAsync(change, cancellationToken);
        if (problems.Count > 0)
        {
            await AbortAsync(prepared);
            return Failed([.. found, .. problems]);
        }
        _current = next;
        foreach (var one in prepared)
            one.Commit();
        Changed?.Invoke(change);
        return Succeeded(change, [.. found, .. PendingRestart(change)]);
    }

    /// <summary>Lets all participants prepare. What they prepared is the caller's, to commit or to abort; after an exception it has been aborted.</summary>
    private async Task<(List<IPreparedConfiguration> Prepared, IReadOnlyList<Diagnostic> Problems)> PrepareAsync(ConfigurationChange change, CancellationToken cancellationToken)
    {
        IConfigurationParticipant[] participants;
        lock (_participants)
            participants = [.. _participants];
        var problems = new PreparationProblems();
        List<IPreparedConfiguration> prepared = [];
        var isDone = false;
        try
        {
            foreach (var participant in participants)
            {
                if (await participant.PrepareAsync(change, problems, cancellationToken) is { } one)
                    prepared.Add(one);
            }
            isDone = true;
            return (prepared, problems.Items);
        }
        finally
        {
            if (!isDone)
                await AbortAsync(prepared);
        }
    }

    private static async Task AbortAsync(List<IPreparedConfiguration> prepared)
    {
        for (var i = prepared.Count - 1; i >= 0; i--)
            await prepared[i].AbortAsync();
    }

    private static IEnumerable<Diagnostic> PendingRestart(ConfigurationChange change) =>
        change.Differences.Where(d => d.Option.NonDynamic).Select(d => new Diagnostic(DiagnosticSeverity.Warning, "CFG-0905",
            d.Scope.Find(d.Option)?.Position ?? d.Scope.Position, d.Option.Name, $"{d.Path} is used only after a restart."));

    private static ReconfigureResult Failed(IReadOnlyList<Diagnostic> diagnostics) =>
        new(null, diagnostics, string.Join('\n', diagnostics.Where(d => d.IsError).Select(d => d.ToString()).Append("Reconfigure failed.")));

    private static ReconfigureResult Succeeded(ConfigurationChange change, IReadOnlyList<Diagnostic> diagnostics)
    {
        var count = change.Differences.Count;
        var text = $"Reconfigured: {count} {(count == 1 ? "option" : "options")} changed.";
        return new(change, diagnostics, string.Join('\n', (string[])[text, .. diagnostics.Select(d => d.ToString())]));
    }

    public void Dispose() => _changing.Dispose();
}
