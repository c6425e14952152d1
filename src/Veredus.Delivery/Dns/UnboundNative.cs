using System.Runtime.InteropServices;

namespace Veredus.Delivery.Dns;

/// <summary>The part of libunbound's C interface that is used here (libunbound(3), unbound.h).</summary>
internal static unsafe partial class UnboundNative
{
    private const string Library = "libunbound.so.8";

    /// <summary><c>struct ub_result</c>; owned by libunbound, freed with <see cref="ResolveFree"/>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Result
    {
        public byte* QName;
        public int QType;
        public int QClass;
        public byte** Data;
        public int* Lengths;
        public byte* CanonName;
        public int RCode;
        public void* AnswerPacket;
        public int AnswerLength;
        public int HaveData;
        public int NxDomain;
        public int Secure;
        public int Bogus;
        public byte* WhyBogus;
        public int WasRateLimited;
        public int Ttl;
    }

    /// <summary>A resolver context. Its background worker ends when the handle is released.</summary>
    public sealed class Context : SafeHandle
    {
        public Context() : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            ContextDelete(handle);
            return true;
        }
    }

    /// <summary>Polls one descriptor until it can be read. <see langword="false"/>: interrupted, ask again.</summary>
    public static bool WaitReadable(int descriptor, int wakeDescriptor)
    {
        var both = stackalloc PollFd[2];
        both[0] = new() { Descriptor = descriptor, Events = PollIn };
        both[1] = new() { Descriptor = wakeDescriptor, Events = PollIn };
        return Poll(both, 2, -1) > 0;
    }

    private const short PollIn = 1;

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(PollFd* descriptors, nuint count, int timeoutMilliseconds);

    [LibraryImport(Library, EntryPoint = "ub_ctx_create")]
    public static partial Context ContextCreate();

    [LibraryImport(Library, EntryPoint = "ub_ctx_delete")]
    private static partial void ContextDelete(nint context);

    [LibraryImport(Library, EntryPoint = "ub_ctx_set_option", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetOption(Context context, string option, string value);

    [LibraryImport(Library, EntryPoint = "ub_ctx_set_fwd", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetForwarder(Context context, string address);

    [LibraryImport(Library, EntryPoint = "ub_ctx_add_ta_file", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int AddTrustAnchorFile(Context context, string file);

    [LibraryImport(Library, EntryPoint = "ub_ctx_zone_remove", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RemoveLocalZone(Context context, string zone);

    [LibraryImport(Library, EntryPoint = "ub_ctx_async")]
    public static partial int SetThreaded(Context context, int useThread);

    [LibraryImport(Library, EntryPoint = "ub_fd")]
    public static partial int Descriptor(Context context);

    [LibraryImport(Library, EntryPoint = "ub_process")]
    public static partial int Process(Context context);

    [LibraryImport(Library, EntryPoint = "ub_resolve_async", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ResolveAsync(Context context, string name, int type, int @class, nint mine, delegate* unmanaged[Cdecl]<nint, int, Result*, void> callback, out int id);

    [LibraryImport(Library, EntryPoint = "ub_cancel")]
    public static partial int Cancel(Context context, int id);

    [LibraryImport(Library, EntryPoint = "ub_resolve_free")]
    public static partial void ResolveFree(Result* result);

    [LibraryImport(Library, EntryPoint = "ub_strerror")]
    private static partial nint ErrorText(int error);

    public static string Describe(int error) => Marshal.PtrToStringUTF8(ErrorText(error)) ?? $"libunbound error {error}";
}
