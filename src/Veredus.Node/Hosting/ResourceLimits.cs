using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Veredus.Node.Hosting;

/// <summary>Limits of this process (setrlimit(2)).</summary>
public static partial class ResourceLimits
{
    private const int OpenFiles = 7; // RLIMIT_NOFILE

    /// <summary>Raises the number of open files as far as the hard limit and the kernel allow.</summary>
    /// <param name="wanted">Files wanted.</param>
    /// <returns>The limit now in force, which may be lower than wanted.</returns>
    /// <exception cref="Win32Exception">The limit cannot be read.</exception>
    public static ulong RaiseOpenFiles(ulong wanted)
    {
        if (GetLimit(OpenFiles, out var limit) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        if (limit.Current >= wanted)
            return limit.Current;
        // More than the hard limit needs CAP_SYS_RESOURCE; without it the hard limit is as far as it goes.
        var raised = new Limit { Current = wanted, Maximum = Math.Max(limit.Maximum, wanted) };
        if (wanted > limit.Maximum && SetLimit(OpenFiles, raised) == 0)
            return wanted;
        raised = limit with { Current = Math.Min(wanted, limit.Maximum) };
        return SetLimit(OpenFiles, raised) == 0 ? raised.Current : limit.Current;
    }

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int resource, in Limit limit);

    private record struct Limit
    {
        public ulong Current;
        public ulong Maximum;
    }
}
