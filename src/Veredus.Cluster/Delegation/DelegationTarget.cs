namespace Veredus.Cluster;

/// <summary>Which nodes shall carry out a command. Managers never do.</summary>
public abstract record DelegationTarget
{
    private DelegationTarget() { }

    /// <summary>Every node that is in the cluster at that moment.</summary>
    public sealed record AllNodes : DelegationTarget
    {
        public override string ToString() => "all nodes";
    }

    /// <summary>The nodes of a subcluster.</summary>
    public sealed record OfSubcluster(string Name) : DelegationTarget
    {
        public override string ToString() => $"subcluster {Name}";
    }

    /// <summary>These nodes, by name.</summary>
    public sealed record Nodes(IReadOnlyList<string> Names) : DelegationTarget
    {
        public override string ToString() => string.Join(", ", Names);
    }

    public static readonly DelegationTarget All = new AllNodes();

    public static DelegationTarget Node(string name) => new Nodes([name]);

    /// <summary>Whether a node of this name and subcluster is meant.</summary>
    public bool Includes(string name, string subcluster) => this switch
    {
        AllNodes => true,
        OfSubcluster(var wanted) => wanted == subcluster,
        Nodes(var names) => names.Contains(name),
        _ => false,
    };
}

/// <summary>On whose behalf a command is given.</summary>
/// <param name="User">As authenticated where the command was typed.</param>
/// <param name="Roles">The user's roles there; nodes check the command against their own stanzas for these.</param>
public sealed record DelegationCaller(string User, IReadOnlyList<string> Roles);

/// <summary>What came, or did not come, from one node.</summary>
public enum AnswerState
{
    /// <summary>It has answered.</summary>
    Answered,
    /// <summary>It was asked and is still in the cluster, but has not answered yet.</summary>
    Pending,
    /// <summary>It was asked and left the cluster before it answered; it may or may not have carried the command out.</summary>
    Left,
    /// <summary>It was not in the cluster when the command was given; it was not asked.</summary>
    Absent,
}

/// <summary>One node's part of an answer.</summary>
/// <param name="Node">Its name; <c>#nodeid-pid</c> for a member that has not introduced itself.</param>
/// <param name="Code">0, or the console's error code; 0 unless <see cref="AnswerState.Answered"/>.</param>
/// <param name="Text">Behind the code; one line.</param>
/// <param name="Body">The lines of the answer, each ended by LF; UTF-8.</param>
public sealed record NodeAnswer(string Node, AnswerState State, int Code = 0, string Text = "", ReadOnlyMemory<byte> Body = default)
{
    /// <summary>The body's lines.</summary>
    public IEnumerable<string> Lines => Body.IsEmpty ? [] : System.Text.Encoding.UTF8.GetString(Body.Span).TrimEnd('\n').Split('\n');

    /// <summary>It was carried out and the console said <c>+OK</c>.</summary>
    public bool IsOk => State is AnswerState.Answered && Code == 0;
}
