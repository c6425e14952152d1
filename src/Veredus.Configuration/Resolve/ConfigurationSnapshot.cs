namespace Veredus.Configuration;

/// <summary>
/// One complete, valid configuration. Immutable and thread-safe: a session keeps the one it started with.
/// Look-ups are cached and allocate nothing on a hit, so they may stand on the path of every message.
/// </summary>
public sealed class ConfigurationSnapshot
{
    private readonly SendingResolver _sending;
    private readonly Dictionary<string, string> _groupOf;

    internal ConfigurationSnapshot(ScopeNode root, IReadOnlyList<LoadedFile> files, string mainFile)
    {
        (Root, Files, MainFile) = (root, files, mainFile);
        _sending = new(root);
        Global = new(ResolutionFamily.Global, [root]);
        Listens = [.. root.Children.Where(c => c.Kind.Includes(ScopeKinds.AnyListener))
            .SelectMany(listener => listener.ChildrenOf(ScopeKinds.Listen).Select(listen => new ListenDefinition(listener, listen, root)))];
        Groups = BindingGroupDefinition.All(root);
        Bindings = [.. Groups.SelectMany(g => g.Bindings)];
        _groupOf = Bindings.ToDictionary(b => b.Name, b => b.Group);
        Rules = [.. root.ChildrenOf(ScopeKinds.BindingRule).Select(BindingRule.Create).OrderBy(r => r.Order)];
        Console = new(root);
    }

    /// <summary>The tree of scopes, for those who show or compare configurations.</summary>
    public ScopeNode Root { get; }
    /// <summary>Files it was read from, in reading order.</summary>
    public IReadOnlyList<LoadedFile> Files { get; }
    public string MainFile { get; }
    /// <summary>Options at top level, with their defaults.</summary>
    public OptionView Global { get; }
    /// <summary>All sockets of all listeners, switched off ones too; <see cref="ListenDefinition.For"/> gives a client's options (6.3).</summary>
    public IReadOnlyList<ListenDefinition> Listens { get; }
    /// <summary>All binding groups; <c>default</c> is always among them.</summary>
    public IReadOnlyList<BindingGroupDefinition> Groups { get; }
    /// <summary>All bindings; <c>default</c> is always among them.</summary>
    public IReadOnlyList<BindingDefinition> Bindings { get; }
    /// <summary>By ascending order, equal ones as written.</summary>
    public IReadOnlyList<BindingRule> Rules { get; }
    /// <summary>Who may give which console commands.</summary>
    public CommandAuthorization Console { get; }

    /// <summary>
    /// Options for a message on <paramref name="group"/>, <paramref name="binding"/> and routing domain <paramref name="domain"/>
    /// (6.1). Names that aren't configured fall through to the wider scopes.
    /// </summary>
    /// <param name="domain">A-labels, no trailing dot; any letter case. Empty for "no domain in particular".</param>
    public OptionView Sending(string group, string binding, string domain) => _sending.Sending(group, binding, domain);

    /// <summary>Connection limits for an MX host (6.2); without a stanza they are -1.</summary>
    public OptionView Host(string group, string binding, string host) => _sending.Hosts(group, binding, host);

    /// <summary>Name of the group that a binding belongs to; null when there is no such binding.</summary>
    public string? GroupOf(string binding) => _groupOf.GetValueOrDefault(binding);

    /// <summary>Module stanzas of one kind that aren't switched off, e.g. all <see cref="ScopeKinds.EcLogger"/>.</summary>
    public IEnumerable<ScopeNode> Modules(ScopeKinds kind) => Root.ChildrenOf(kind).Where(m => m.Get(Options.ModuleEnabled));

    /// <summary>The stanza of a singleton such as <see cref="ScopeKinds.Security"/>; null when absent.</summary>
    public ScopeNode? Singleton(ScopeKinds kind) => Root.ChildrenOf(kind).FirstOrDefault();

    /// <summary>An option of a singleton stanza, e.g. <c>Get(ScopeKinds.MailLoop, Options.MailLoopCode)</c>; its default when the stanza is absent.</summary>
    public T Get<T>(ScopeKinds singleton, Option<T> option) => Singleton(singleton) is { } scope ? scope.Get(option) : option.Default;

    /// <summary>Reads a configuration from a text, as tests do. Includes are not possible.</summary>
    /// <exception cref="ConfigurationException">The text has errors; the message lists them.</exception>
    public static ConfigurationSnapshot FromText(string text)
    {
        var result = Parse(text);
        return result.Snapshot ?? throw new ConfigurationException(result.Diagnostics);
    }

    /// <summary>As <see cref="FromText"/>, with findings instead of an exception.</summary>
    public static LoadResult Parse(string text, string file = "text") =>
        new ConfigurationLoader(new MemoryFiles(new Dictionary<string, string> { [file] = text }), new([""])).Load(file);

    /// <summary>The configuration of an empty file: defaults only.</summary>
    public static readonly ConfigurationSnapshot Empty = FromText("");
}
